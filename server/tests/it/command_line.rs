//! The program itself: what it prints, and how it ends.
//!
//! **Invariant:** one line on standard error and exit code 1 for every error; standard output holds what was asked for.

use crate::house::{House, PLAN};
use domain::ports::Access as _;
use server::data::DataFolder;
use server::web::local::LocalSocket;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

async fn caracal(data: &Path, args: &[&str], input: &str) -> Output {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_caracal"))
        .args(args)
        .current_dir(data)
        .env_clear()
        .env("CARACAL_DATA", data.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends at once does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    child.wait_with_output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn users_and_tokens_are_made_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let add = ["user", "add", "ana", "--role", "admin", "--password-stdin"];
    let made = caracal(dir.path(), &add, "correct horse\n").await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(text(&made.stdout), "ana admin\n");
    let again = caracal(dir.path(), &add, "correct horse\n").await;
    assert_eq!(
        (again.status.code(), text(&again.stderr).as_str()),
        (Some(1), "caracal: There is a user `ana` already.\n")
    );
    let token = caracal(dir.path(), &["token", "create", "--user", "ana", "--scope", "read"], "").await;
    let token = text(&token.stdout);
    assert!(
        engine::auth::secret::well_formed(token.trim_end()) && token.ends_with('\n'),
        "{token}"
    );
    assert_eq!(
        text(&caracal(dir.path(), &["user", "list"], "").await.stdout),
        "ana admin\n"
    );

    let _held = DataFolder::hold(&dir.path().join("data")).unwrap();
    let refused = caracal(dir.path(), &["user", "list"], "").await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).starts_with("caracal: another caracal uses the data folder"),
        "{}",
        text(&refused.stderr)
    );
}

#[tokio::test]
async fn tokens_for_agents_are_made_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let create = [
        "agent-token",
        "create",
        "--expires",
        "30m",
        "--uses",
        "3",
        "--label",
        "pool=fast",
    ];
    let made = caracal(dir.path(), &create, "").await;
    let token = text(&made.stdout);
    assert!(
        engine::auth::secret::agent_well_formed(token.trim_end()) && token.ends_with('\n'),
        "{token} {}",
        text(&made.stderr)
    );
    let listed = text(&caracal(dir.path(), &["agent-token", "list"], "").await.stdout);
    assert!(
        listed.starts_with("1 3 of 3 left, until ") && listed.ends_with(", by command line pool=fast\n"),
        "{listed}"
    );
    assert!(
        caracal(dir.path(), &["agent-token", "revoke", "1"], "")
            .await
            .status
            .success()
    );
    assert_eq!(
        text(&caracal(dir.path(), &["agent-token", "list"], "").await.stdout),
        ""
    );
    for (args, want) in [
        (vec!["revoke", "1"], "caracal: Registration token 1 does not exist."),
        (
            vec!["create", "--uses", "0"],
            "caracal: uses: A token registers 1 to 1000 agents.",
        ),
        (
            vec!["create", "--expires", "9999d"],
            "caracal: expires_at: A token ends in the future, within a year.",
        ),
        (vec!["create", "--expires", "soon"], "caracal: --expires is `soon`"),
        (
            vec!["create", "--label", "fast"],
            "caracal: --label: `fast` is not a label",
        ),
    ] {
        let out = caracal(dir.path(), &[&["agent-token"][..], &args].concat(), "").await;
        let line = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{args:?} {line}");
        assert!(line.starts_with(want) && line.lines().count() == 1, "{args:?}: {line}");
    }
}

#[tokio::test]
async fn beside_a_running_server_its_socket_is_asked() {
    let house = House::new().await;
    let data = house.dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let _held = DataFolder::hold(&data).unwrap();
    let stop = CancellationToken::new();
    let socket = LocalSocket::bind(&data).unwrap();
    let serving = tokio::spawn(socket.serve(house.web.clone(), stop.clone()));

    let add = ["user", "add", "ana", "--role", "editor", "--password-stdin"];
    let made = caracal(house.dir.path(), &add, "correct horse\n").await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    let token = text(
        &caracal(house.dir.path(), &["token", "create", "--user", "ana"], "")
            .await
            .stdout,
    );
    let viewer = house.engine.access.by_token(token.trim_end()).await.unwrap().unwrap();
    assert_eq!(viewer.name, "ana");
    assert_eq!(
        text(&caracal(house.dir.path(), &["user", "list"], "").await.stdout),
        "ana editor\n"
    );
    let nobody = caracal(house.dir.path(), &["token", "create", "--user", "eve"], "").await;
    assert_eq!(
        (nobody.status.code(), text(&nobody.stderr).as_str()),
        (Some(1), "caracal: User `eve` does not exist.\n")
    );

    // The socket takes its own token and no other, and shows only what the command line needs.
    let secret = std::fs::read_to_string(data.join("cli.token")).unwrap();
    for (path, bearer, status) in [
        ("/api/v1/users", secret.trim(), "200"),
        ("/api/v1/users", token.trim(), "401"),
        ("/api/v1/users", "", "401"),
        ("/api/v1/plans", secret.trim(), "200"),
        ("/api/v1/plans/1", secret.trim(), "404"),
        ("/api/v1/tasks", secret.trim(), "404"),
    ] {
        let mut stream = tokio::net::UnixStream::connect(data.join("caracal.sock"))
            .await
            .unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {bearer}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer)
            .await
            .unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{path} {answer}");
    }
    use std::os::unix::fs::PermissionsExt as _;
    for name in ["caracal.sock", "cli.token"] {
        let mode = std::fs::metadata(data.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    stop.cancel();
    serving.await.unwrap();
    assert!(!data.join("caracal.sock").exists());
}

#[tokio::test]
async fn plans_are_checked_with_every_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("good.yml"), PLAN).unwrap();
    std::fs::write(dir.path().join("bad.yml"), "name: x\nstep:\n  - run: a\nenviron: {}\n").unwrap();
    let good = caracal(dir.path(), &["plan", "validate", "good.yml"], "").await;
    assert_eq!(
        (good.status.code(), text(&good.stdout).as_str()),
        (Some(0), "good.yml: plan `app` with 1 job\n")
    );
    let bad = caracal(dir.path(), &["plan", "validate", "bad.yml"], "").await;
    let lines = text(&bad.stderr);
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        lines.lines().count() >= 2 && lines.lines().all(|l| l.starts_with("bad.yml:")),
        "{lines}"
    );
    let piped = caracal(dir.path(), &["plan", "validate", "-"], PLAN).await;
    assert!(piped.status.success());
}

#[tokio::test]
async fn errors_are_one_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("caracal.toml"), "lisen = \"127.0.0.1:0\"\n").unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let port = format!("caracal: cannot listen on {taken}: the port is taken");
    let busy = tempfile::tempdir().unwrap();
    for (folder, args, want) in [
        (
            dir.path(),
            vec!["user", "list"],
            "caracal: caracal.toml cannot be used: `lisen` is no setting; did you mean `listen`?",
        ),
        (busy.path(), vec!["user", "list"], "caracal: there is no data folder"),
        (
            busy.path(),
            vec!["plan", "validate", "nothing.yml"],
            "caracal: nothing.yml cannot be read",
        ),
        (
            busy.path(),
            vec!["serve", "--data", "/proc/nowhere"],
            "caracal: the data folder /proc/nowhere cannot be made",
        ),
        (busy.path(), vec!["serve", "--listen", &taken], &*port),
        (
            busy.path(),
            vec!["serve", "--executor", "podman"],
            "caracal: --executor: `podman` is not an executor",
        ),
        (
            busy.path(),
            vec!["user", "add", "x", "--role", "viewer", "--password-stdin"],
            "caracal: standard input holds no password",
        ),
    ] {
        let out = caracal(folder, &args, "").await;
        let line = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{args:?} {line}");
        assert!(line.starts_with(want) && line.lines().count() == 1, "{args:?}: {line}");
    }
}

#[tokio::test]
async fn help_and_version_are_answers() {
    let dir = tempfile::tempdir().unwrap();
    let version = caracal(dir.path(), &["--version"], "").await;
    assert_eq!(
        text(&version.stdout),
        format!("caracal {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = text(&caracal(dir.path(), &["--help"], "").await.stdout);
    for command in ["serve", "agent", "agent-token", "user", "token", "secret", "plan"] {
        assert!(help.contains(command), "{help}");
    }
}
