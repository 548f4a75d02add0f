//! `caracal secret` and what `caracal doctor` says of the master key: with a server and without, killed, and with the key lost.
//!
//! **Invariant:** whenever it is killed, every secret opens to the value it was set to.

use crate::house::House;
use domain::ports::Secrets as _;
use domain::secret::{NewSecret, SecretValue};
use engine::assembly::{Engine, MASTER_KEY, Options};
use engine::auth::rotation;
use engine::auth::vault::{As, Vault};
use engine::clock::SystemClock;
use engine::services::access::command_line;
use engine::services::secrets::SecretsService;
use engine::store::secrets::{rewrap, under_other_keys};
use engine::store::{Location, Store};
use serde_json::json;
use server::web::local::LocalSocket;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

fn command(data: &Path, failpoints: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caracal"));
    command
        .env_clear()
        .env("CARACAL_DATA", data)
        .env("CARACAL_EXECUTOR", "process")
        .env("CARACAL_FAILPOINTS", failpoints)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the program on the data folder `data`.
async fn caracal(data: &Path, args: &[&str], input: &str, failpoints: &str) -> Output {
    let mut child = command(data, failpoints).args(args).spawn().unwrap();
    // A program that ends at once does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    child.wait_with_output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `caracal secret …` answers: its lines when it went well, else its error.
async fn secret(data: &Path, args: &[&str], input: &str) -> Result<String, String> {
    let out = caracal(data, &[&["secret"][..], args].concat(), input, "").await;
    match out.status.success() {
        true => Ok(text(&out.stdout)),
        false => Err(text(&out.stderr)),
    }
}

async fn store(data: &Path) -> Store {
    Store::open(&Location::Sqlite(data.join("caracal.db"))).await.unwrap()
}

/// Every secret of a folder by name, opened with the keys that lie there.
pub async fn values(data: &Path) -> Vec<(String, String)> {
    let store = store(data).await;
    let vault = Vault::of(&store, &data.join(MASTER_KEY)).await.unwrap();
    let all = under_other_keys(&store, "", 0, 10_000).await.unwrap();
    let open = |s: &engine::store::secrets::Locked| {
        let what = As {
            project: s.project_id,
            plan: s.plan_id,
            name: &s.name,
            version: s.n,
        };
        text(&vault.open_secret(what, &s.sealed).unwrap())
    };
    let mut all: Vec<_> = all.iter().map(|s| (s.name.clone(), open(s))).collect();
    all.sort();
    all
}

fn keys(data: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(data.join(MASTER_KEY)).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn secrets_are_made_set_anew_and_removed_by_name_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let set = ["set", "DEPLOY_KEY", "--value-stdin"];
    assert_eq!(secret(data, &set, "hunter2\n").await.unwrap(), "DEPLOY_KEY version 1\n");
    assert_eq!(secret(data, &set, "a\nkey\n").await.unwrap(), "DEPLOY_KEY version 2\n");
    assert_eq!(values(data).await, [("DEPLOY_KEY".into(), "a\nkey\n".into())]);
    let listed = secret(data, &["list"], "").await.unwrap();
    assert!(
        listed.starts_with("DEPLOY_KEY version 2, set 20") && listed.ends_with("Z by command line, never used\n"),
        "{listed}"
    );
    for (args, input, want) in [
        (&set[..], "", "caracal: standard input holds no value"),
        (
            &["set", "deploy", "--value-stdin"],
            "x",
            "caracal: name: A secret's name has capital letters",
        ),
        (
            &["set", "KEY", "--plan", "app", "--value-stdin"],
            "x",
            "caracal: Plan `app` does not exist.",
        ),
        (&["remove", "KEY"], "", "caracal: Secret `KEY` does not exist."),
    ] {
        let refused = secret(data, args, input).await.unwrap_err();
        assert!(
            refused.starts_with(want) && refused.lines().count() == 1,
            "{args:?}: {refused}"
        );
    }
    secret(data, &["remove", "DEPLOY_KEY"], "").await.unwrap();
    assert_eq!(secret(data, &["list"], "").await.unwrap(), "");
}

#[tokio::test]
async fn a_running_server_is_asked_and_changes_its_key_while_it_runs() {
    let house = House::new().await;
    let ana = house.user("ana", domain::auth::Role::Editor).await;
    house.work(&ana, "app").await;
    let data = house.dir.path();
    let stop = CancellationToken::new();
    let socket = LocalSocket::bind(data).unwrap();
    let serving = tokio::spawn(socket.serve(house.web.clone(), stop.clone()));

    let of_plan = ["set", "KEY", "--plan", "app", "--value-stdin"];
    for (args, value, want) in [
        (&of_plan[..], "one", "KEY of plan app version 1\n"),
        (&of_plan, "two", "KEY of plan app version 2\n"),
        (&["set", "KEY", "--value-stdin"], "all", "KEY version 1\n"),
    ] {
        assert_eq!(secret(data, args, value).await.unwrap(), want);
    }
    let before = keys(data);
    let done = secret(data, &["rotate-key"], "").await.unwrap();
    assert!(
        done.starts_with("The master key is new, and 2 secrets are under it now.\n"),
        "{done}"
    );
    let after = keys(data);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    // What is sealed from now on is under the new key as well.
    secret(data, &["set", "LATER", "--value-stdin"], "x").await.unwrap();
    let want = [("KEY", "all"), ("KEY", "two"), ("LATER", "x")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(values(data).await, want);

    secret(data, &["remove", "KEY", "--plan", "app"], "").await.unwrap();
    let listed = secret(data, &["list"], "").await.unwrap();
    assert_eq!(listed.lines().map(|l| &l[..4]).collect::<Vec<_>>(), ["KEY ", "LATE"]);
    let refused = secret(data, &["forget-unreadable"], "").await.unwrap_err();
    assert!(refused.contains("a server runs on this data folder"), "{refused}");
    stop.cancel();
    serving.await.unwrap();
}

/// A data folder with more secrets than are moved in one write.
async fn folder_with_secrets(data: &Path) -> Vec<(String, String)> {
    let store = store(data).await;
    let vault = Vault::of(&store, &data.join(MASTER_KEY)).await.unwrap();
    let secrets = SecretsService::new(store, Arc::new(SystemClock), Arc::new(vault));
    let all: Vec<_> = (100..230).map(|n| (format!("KEY_{n}"), format!("value {n}"))).collect();
    for (name, value) in all.clone() {
        let wish = NewSecret {
            name,
            plan_id: None,
            value: SecretValue(value),
        };
        secrets.create(&command_line(), wish).await.unwrap();
    }
    all
}

#[tokio::test]
async fn a_change_of_the_master_key_may_be_killed_at_any_instant() {
    for (point, keys_left) in [
        ("server.keys-written=kill", 1),
        ("server.key-added=kill", 2),
        ("server.key-named=kill", 2),
        ("server.secrets-moved=kill", 2),
        ("server.secrets-moved=kill@2", 2),
        ("server.keys-written=kill@2", 2),
        ("server.key-dropped=kill", 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let all = folder_with_secrets(data).await;
        let old = keys(data);
        let killed = caracal(data, &["secret", "rotate-key"], "", point).await;
        let (name, _) = point.split_once('=').unwrap();
        assert_eq!(killed.status.signal(), Some(9), "{point}: {}", text(&killed.stderr));
        assert!(
            text(&killed.stderr).contains(&format!("failpoint {name} reached")),
            "{point}"
        );
        assert_eq!(keys(data).len(), keys_left, "{point}");
        assert_eq!(values(data).await, all, "{point}: killed");
        let half = text(&caracal(data, &["doctor"], "", "").await.stdout);
        assert_eq!(half.contains("weak    master key"), keys_left == 2, "{point}: {half}");

        let again = secret(data, &["rotate-key"], "").await.unwrap();
        assert!(again.contains("130 secrets are under it now"), "{point}: {again}");
        assert_eq!(values(data).await, all, "{point}: done again");
        let new = keys(data);
        assert!(new.len() == 1 && new != old, "{point}");
        assert!(!data.join("master.key.new").exists(), "{point}");
    }
}

async fn engine(data: &Path) -> Engine {
    let options = Options {
        database: Location::Sqlite(data.join("caracal.db")),
        data: data.to_owned(),
        settings: engine::dispatch::Settings::default(),
        clock: Arc::new(SystemClock),
    };
    Engine::start(options).await.unwrap()
}

#[tokio::test]
async fn a_server_killed_while_it_changes_its_key_starts_again_with_every_secret() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let all = folder_with_secrets(data).await;
    let mut server = command(data, "server.secrets-moved=kill")
        .args(["serve", "--listen", "127.0.0.1:0", "--no-agent"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let greeting = lines.next_line().await.unwrap().unwrap();
    assert!(greeting.contains("is listening on"), "{greeting}");
    let told = secret(data, &["rotate-key"], "").await.unwrap_err();
    assert!(told.starts_with("caracal: the server"), "{told}");
    let ended = server.wait_with_output().await.unwrap();
    assert_eq!(ended.status.signal(), Some(9), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("failpoint server.secrets-moved reached"));
    assert_eq!((keys(data).len(), values(data).await), (2, all.clone()));

    let engine = engine(data).await;
    let done = engine.ports.secrets.rotate_key(&command_line()).await.unwrap();
    assert_eq!((done.moved, done.unreadable.len()), (130, 0));
    engine.stop().await;
    assert_eq!((keys(data).len(), values(data).await), (1, all));
}

#[tokio::test]
async fn secrets_whose_key_is_lost_are_named_and_removed_only_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    for name in ["A", "B"] {
        secret(data, &["set", name, "--value-stdin"], "x").await.unwrap();
    }
    let forget = ["forget-unreadable", "--yes"];
    assert_eq!(
        secret(data, &forget, "").await.unwrap(),
        "Every secret opens; there is nothing to forget.\n"
    );
    let before = engine(data).await;
    let wish = serde_json::from_value(json!({ "name": "push", "provider": "github" })).unwrap();
    before.ports.hooks.create(&command_line(), wish).await.unwrap();
    before.stop().await;
    std::fs::remove_file(data.join(MASTER_KEY)).unwrap();
    for args in [&["set", "C", "--value-stdin"][..], &["rotate-key"]] {
        let refused = secret(data, args, "x").await.unwrap_err();
        assert!(refused.contains("caracal secret forget-unreadable"), "{refused}");
    }
    assert!(
        !data.join(MASTER_KEY).exists(),
        "a new key would hide that the old one is missing"
    );
    let serve = caracal(data, &["serve", "--listen", "127.0.0.1:0"], "", "").await;
    assert!(
        text(&serve.stderr).contains("caracal secret forget-unreadable"),
        "{}",
        text(&serve.stderr)
    );

    let named = secret(data, &["forget-unreadable"], "").await.unwrap();
    assert!(
        named.starts_with("A: the master key ") && named.contains("\nB: ") && named.contains("\nNothing was removed."),
        "{named}"
    );
    assert!(named.contains("(used by the hook push): "), "{named}");
    assert_eq!(secret(data, &["list"], "").await.unwrap().lines().count(), 3);
    let (before, _) = store(data).await.audit_check().await.unwrap();
    assert!(secret(data, &forget, "").await.unwrap().ends_with("\nRemoved: 3.\n"));
    assert_eq!(store(data).await.audit_check().await.unwrap(), (before + 3, None));
    assert_eq!(secret(data, &["list"], "").await.unwrap(), "");
    secret(data, &["set", "C", "--value-stdin"], "x").await.unwrap();
    let after = engine(data).await;
    let hooks = after.ports.hooks.list(&command_line()).await.unwrap();
    assert_eq!(
        (hooks.len(), hooks[0].secret_at),
        (1, None),
        "the hook is there, and believes nobody"
    );
    after.stop().await;
    assert_eq!(values(data).await, [("C".into(), "x".into())]);
}

#[tokio::test]
async fn a_secret_that_was_changed_keeps_its_key_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    for name in ["A", "B"] {
        secret(data, &["set", name, "--value-stdin"], "x").await.unwrap();
    }
    let old = keys(data);
    let store = store(data).await;
    let mut changed = under_other_keys(&store, "", 0, 1).await.unwrap().remove(0);
    assert_eq!(changed.name, "A");
    let from = changed.clone();
    changed.sealed.wrapped_key = "00".into();
    let done = store.write(move |tx| {
        let (from, to) = (from.clone(), changed.sealed.clone());
        Box::pin(async move { rewrap(tx, &from, &to).await })
    });
    assert!(done.await.unwrap());
    let told = secret(data, &["rotate-key"], "").await.unwrap_err();
    assert!(told.contains("A: its row was changed"), "{told}");
    assert_eq!(keys(data)[1..], old[..], "the old key stays for it");
    let vault = Vault::present(&data.join(MASTER_KEY)).unwrap();
    let lost = rotation::lost(&store, &vault).await.unwrap();
    assert_eq!(lost.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["A"]);
}

#[tokio::test]
async fn the_doctor_looks_at_the_master_key() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let doctor = async || {
        let out = text(&caracal(data, &["doctor"], "", "").await.stdout);
        let line = out.lines().find(|l| l.contains("master key")).map(str::to_owned);
        line.unwrap_or(out)
    };
    let key = data.join(MASTER_KEY);
    assert!(doctor().await.contains("not needed yet"), "{}", doctor().await);
    secret(data, &["set", "A", "--value-stdin"], "x").await.unwrap();
    let line = doctor().await;
    assert!(line.starts_with("ok ") && line.contains("holds every key"), "{line}");
    let mode = |mode| std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(0o640);
    let line = doctor().await;
    assert!(line.starts_with("BROKEN") && line.contains("chmod 600"), "{line}");
    mode(0o600);
    std::fs::write(&key, "7".repeat(64)).unwrap();
    let line = doctor().await;
    assert!(
        line.starts_with("BROKEN") && line.contains("put back the file"),
        "{line}"
    );
    std::fs::remove_file(&key).unwrap();
    let line = doctor().await;
    assert!(
        line.starts_with("BROKEN") && line.contains("put back the file"),
        "{line}"
    );
    assert!(!key.exists());
}
