//! One PostgreSQL for the whole test binary: its own cluster in a temporary folder, reached by a unix socket only.
//!
//! **Invariant:** it never outlives the tests: a supervisor waits on a pipe that this process holds, and stops the server
//! and removes the folder when the pipe closes, however the tests ended.

use engine::store::{Db, Location, Store};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OnceCell;

/// The server, once it has been asked for; `Err` says why there is none.
static SERVER: OnceCell<Result<Server, String>> = OnceCell::const_new();
static NAMES: AtomicU32 = AtomicU32::new(0);

struct Server {
    folder: PathBuf,
    /// While this is open the server lives.
    _alive: ChildStdin,
}

/// Waits for the end of the tests, then stops the server and clears up. `$1` is the folder, the rest starts the server.
const SUPERVISOR: &str = "folder=$1; shift; \"$@\" >\"$folder/server.log\" 2>&1 & server=$!; read -r _; \
    kill -QUIT \"$server\"; wait \"$server\"; rm -rf \"$folder\"";

/// Where a fresh, migrated database is; `None`, said loudly, when there is no PostgreSQL on this machine.
pub async fn database() -> Option<Location> {
    copy("migrated").await
}

/// Where a fresh database without any table is.
pub async fn empty_database() -> Option<Location> {
    copy("template0").await
}

async fn copy(template: &str) -> Option<Location> {
    match SERVER.get_or_init(start).await {
        Ok(server) => {
            let name = format!("t{}", NAMES.fetch_add(1, Ordering::Relaxed));
            server.sql(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
            Some(Location::Postgres(server.url(&name)))
        }
        Err(why) => {
            assert!(
                std::env::var("CARACAL_REQUIRE_POSTGRES").is_err(),
                "PostgreSQL is required, and {why}"
            );
            super::skipped(&format!("what needs PostgreSQL, for {why}"));
            None
        }
    }
}

async fn start() -> Result<Server, String> {
    let bin = newest_bin().ok_or("no /usr/lib/postgresql/*/bin/initdb is there")?;
    let folder = tempfile::Builder::new()
        .prefix("pg")
        .tempdir()
        .map_err(|e| e.to_string())?
        .keep();
    let data = folder.join("data");
    let mut initdb = unprivileged(&folder, &bin.join("initdb"))?;
    initdb.args([
        "--no-sync",
        "--auth=trust",
        "--username=caracal",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "-D",
    ]);
    let made = initdb
        .arg(&data)
        .output()
        .map_err(|e| format!("initdb does not start: {e}"))?;
    if !made.status.success() {
        return Err(format!("initdb fails: {}", String::from_utf8_lossy(&made.stderr)));
    }
    let server = unprivileged(&folder, &bin.join("postgres"))?;
    let mut supervisor = Command::new("sh");
    supervisor
        .args(["-c", SUPERVISOR, "supervisor"])
        .arg(&folder)
        .arg(server.get_program())
        .args(server.get_args());
    supervisor.arg("-D").arg(&data).arg("-k").arg(&folder);
    for setting in [
        "listen_addresses=",
        "fsync=off",
        "full_page_writes=off",
        "max_connections=200",
    ] {
        supervisor.args(["-c", setting]);
    }
    // A group of its own: a person who ends the tests from the keyboard shall not end the one who clears up.
    supervisor
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = supervisor
        .spawn()
        .map_err(|e| format!("the supervisor does not start: {e}"))?;
    let alive = child.stdin.take().ok_or("the supervisor has no pipe")?;
    let server = Server { folder, _alive: alive };
    server.wait().await?;
    server.sql("CREATE DATABASE migrated TEMPLATE template0").await;
    let store = Store::open(&Location::Postgres(server.url("migrated")))
        .await
        .map_err(|e| e.to_string())?;
    // A database can be copied only while nobody is connected to it.
    if let Db::Postgres(pool) = store.db() {
        pool.close().await;
    }
    Ok(server)
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://caracal@localhost/{database}?host={}", self.folder.display())
    }

    /// Waits until it takes connections: it says so in its own log, then by answering.
    async fn wait(&self) -> Result<(), String> {
        let log = self.folder.join("server.log");
        for _ in 0..600 {
            let mut said = String::new();
            if let Ok(mut f) = std::fs::File::open(&log) {
                let _ = f.read_to_string(&mut said);
            }
            if said.contains("ready to accept connections") {
                return Ok(());
            }
            if said.contains("FATAL") {
                return Err(format!("it does not start: {said}"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err("it is not ready within 30 s".into())
    }

    async fn sql(&self, sql: &str) {
        use sqlx::{AssertSqlSafe, Connection, PgConnection};
        let mut c = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut c)
            .await
            .unwrap();
        c.close().await.unwrap();
    }
}

fn newest_bin() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|d| {
            (
                d.file_name().to_string_lossy().parse().unwrap_or(0),
                d.path().join("bin"),
            )
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// PostgreSQL refuses to run as root: as root, it runs as the user `postgres` and gets the folder.
fn unprivileged(folder: &Path, program: &Path) -> Result<Command, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    let ids = |flag: &str| -> Result<u32, String> {
        let out = Command::new("id")
            .args([flag, "postgres"])
            .output()
            .map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        text.parse()
            .map_err(|_| "there is no user `postgres` to run it as".to_owned())
    };
    let (user, group) = (ids("-u")?, ids("-g")?);
    std::os::unix::fs::chown(folder, Some(user), Some(group)).map_err(|e| e.to_string())?;
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg(program);
    Ok(command)
}
