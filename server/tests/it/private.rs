//! Repositories that are not open to everybody: read by the server and checked out by agents with what proves who asks, which
//! nobody else gets to see and no agent keeps.

use crate::backend::{Backend, Serving as Git};
use crate::program::{Serving, done, git, prepared};
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

/// `mei:canary-of-the-source`, as HTTP has it (RFC 7617).
const CANARY: [&str; 2] = ["canary-of-the-source", "bWVpOmNhbmFyeS1vZi10aGUtc291cmNl"];
/// An agent of its own, without containers.
const FLAGS: [&str; 4] = ["--executor", "process", "--slots", "1"];
/// A step that shows all that it can see of itself and its source.
const FILE: &str = "steps:\n  - run: |\n      env; cat .git/config; git config --list || true; ls -a\n      echo it is there: $(cat file)\n";

/// A server that asks for the password, with one repository of one commit.
async fn source(root: &Path) -> Backend {
    let path = root.join("app.git");
    std::fs::create_dir_all(&path).unwrap();
    git(&path, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(path.join(".caracal.yml"), FILE).unwrap();
    std::fs::write(path.join("file"), "as it was committed").unwrap();
    git(&path, &["add", "."]);
    git(&path, &["commit", "--quiet", "--message", "One"]);
    Backend::start(Git {
        root: root.to_owned(),
        password: Some(format!("Basic {}", CANARY[1])),
        moved: None,
    })
    .await
}

/// Files below a folder in which one of the canaries stands.
fn told(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(told(&path)),
            Ok(kind) if kind.is_file() => {
                let bytes = std::fs::read(&path).unwrap_or_default();
                let has = |c: &str| bytes.windows(c.len()).any(|w| w == c.as_bytes());
                found.extend(CANARY.iter().any(|c| has(c)).then(|| path.display().to_string()));
            }
            _ => {}
        }
    }
    found
}

async fn plan(serving: &Serving, url: &str) -> Value {
    let document = format!("name: app\nsource: {{ git: \"{url}\" }}\nfile: .caracal.yml\n");
    serving.made("/plans", json!({ "document": document })).await["id"].clone()
}

#[tokio::test]
async fn a_private_source_is_read_and_checked_out_and_its_password_is_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path()).await;
    let url = source.url("/app.git");
    let (folder, token) = prepared().await;
    let serving = Serving::with(&FLAGS, folder, token, "").await;
    let plan = plan(&serving, &url).await;

    // Nothing opens it yet.
    let first = serving.made(&format!("/plans/{plan}/tasks"), json!({})).await["id"].clone();
    let shut = serving
        .until(&format!("/tasks/{first}"), |t| t["finished_at"].is_string())
        .await;
    assert_eq!(shut["status"], "failed", "{shut}");
    assert!(
        source
            .heads()
            .iter()
            .all(|h| !h.to_lowercase().contains("authorization"))
    );

    let wish = json!({ "name": "app", "url": url, "secret": format!("mei:{}", CANARY[0]) });
    serving.made("/repositories", wish).await;
    let second = serving.made(&format!("/plans/{plan}/tasks"), json!({})).await["id"].clone();
    let done = serving
        .until(&format!("/tasks/{second}"), |t| t["finished_at"].is_string())
        .await;
    let console = serving.text(&format!("/tasks/{second}/console?setup=true")).await;
    assert_eq!(done["status"], "passed", "{done}\n{console}");
    assert!(
        console.contains("it is there: as it was committed") && console.contains("CARACAL_PLAN=app"),
        "{console}"
    );
    assert!(CANARY.iter().all(|c| !console.contains(c)), "{console}");
    assert_eq!(told(serving.folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn an_agent_that_was_killed_before_the_checkout_gets_it_anew() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path()).await;
    let url = source.url("/app.git");
    let (folder, token) = prepared().await;
    let serving = Serving::with(&FLAGS, folder, token, "agent.taken=kill").await;
    let wish = json!({ "name": "app", "url": url, "secret": format!("mei:{}", CANARY[0]) });
    serving.made("/repositories", wish).await;
    let plan = plan(&serving, &url).await;
    let task = serving.made(&format!("/plans/{plan}/tasks"), json!({})).await["id"].clone();
    let ended = done(serving.child).await;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.signal(), Some(9), "{said}");
    assert!(said.contains("failpoint agent.taken reached"), "{said}");
    assert_eq!(
        told(serving.folder.path()),
        Vec::<String>::new(),
        "what it took on is on its disk, and no password"
    );

    let serving = Serving::with(&FLAGS, serving.folder, serving.token, "").await;
    let ended = serving
        .until(&format!("/tasks/{task}"), |t| t["finished_at"].is_string())
        .await;
    assert_eq!(
        (&ended["status"], &ended["jobs"][0]["attempt"]),
        (&json!("passed"), &json!(1)),
        "{ended}"
    );
    assert_eq!(told(serving.folder.path()), Vec::<String>::new());
}
