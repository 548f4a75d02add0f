//! Servers that are killed between finding something out and telling of it: triggers start what they start once.
//!
//! **Invariant:** each test proves that the server died at the instant it is about.

use crate::program::{Serving, done, git};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

/// Kills the server, and starts another over its folder that dies at these instants.
async fn again(mut serving: Serving, failpoints: &str) -> Serving {
    serving.child.start_kill().unwrap();
    serving.child.wait().await.unwrap();
    Serving::on(serving.folder, serving.token, failpoints).await
}

/// Waits until it has died at an instant, and starts another one over its folder.
async fn died(serving: Serving, instant: &str) -> Serving {
    let ended = done(serving.child).await;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.signal(), Some(9), "{said}");
    assert!(said.contains(&format!("failpoint {instant} reached")), "{said}");
    Serving::on(serving.folder, serving.token, "").await
}

fn commit(folder: &Path, text: &str) {
    std::fs::write(folder.join("file"), text).unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "--message", text]);
}

fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test]
async fn what_a_poll_has_found_is_found_again_by_the_next_server_and_started_once() {
    let serving = Serving::start().await;
    let source = serving.folder.path().join("app");
    std::fs::create_dir(&source).unwrap();
    git(&source, &["init", "--quiet", "--initial-branch=main"]);
    commit(&source, "one");
    let document = format!(
        "name: app\nsource: {{ git: {} }}\nsteps: [{{ run: 'true' }}]\n",
        source.display()
    );
    let plan = serving.made("/plans", json!({ "document": document })).await["id"].clone();
    let wish = json!({ "name": "push", "kind": "poll", "plan_id": plan, "config": { "git": source, "every": "1s" } });
    let id = serving.made("/triggers", wish).await["id"].clone();
    let path = format!("/triggers/{id}");
    serving.until(&path, |t| t["health"]["state"] == "well").await;

    let serving = again(serving, "server.detected=kill").await;
    commit(&source, "two");
    let serving = died(serving, "server.detected").await;
    let firings = format!("/triggers/{id}/firings");
    let found = serving.until(&firings, |f| !items(f).is_empty()).await;
    assert_eq!(found["items"][0]["cause"]["message"], "two");
    // Two looks later it is still one.
    for _ in 0..2 {
        let before = serving.get(&path).await["health"]["at"].clone();
        serving.until(&path, |t| t["health"]["at"] != before).await;
    }
    assert_eq!(items(&serving.get(&firings).await).len(), 1);
    assert_eq!(items(&serving.get("/tasks").await).len(), 1);
}

#[tokio::test]
async fn a_delivery_that_was_not_answered_is_sent_again_and_starts_nothing_twice() {
    let serving = Serving::start().await;
    let plan = json!({ "document": "name: app\nsteps: [{ run: 'true' }]\n" });
    let plan = serving.made("/plans", plan).await["id"].clone();
    let config = json!({ "provider": "gitea", "secret": "hunter2hunter2" });
    let wish = json!({ "name": "push", "kind": "webhook", "plan_id": plan, "config": config });
    let url = serving.made("/triggers", wish).await["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/hooks/{}", url.rsplit('/').next().unwrap());
    let body = json!({ "ref": "refs/heads/main", "after": "4e81b02a77d94e81b02a77d94e81b02a77d94e81" }).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hunter2hunter2").unwrap();
    mac.update(body.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let heads = format!(
        "content-type: application/json\r\nx-gitea-event: push\r\nx-gitea-delivery: d-1\r\nx-gitea-signature: {signature}\r\n"
    );
    let serving = again(serving, "server.fired=kill").await;
    assert_eq!(serving.sent("POST", &path, &heads, &body).await, None, "no answer");
    let serving = died(serving, "server.fired").await;
    let (status, answer) = serving.sent("POST", &path, &heads, &body).await.unwrap();
    assert_eq!((status, &answer["repeated"]), (200, &json!(true)), "{answer}");
    assert_eq!(answer["firings"][0]["verdict"], "started");
    let tasks = serving.get("/tasks").await;
    assert_eq!(items(&tasks).len(), 1);
    assert_eq!(tasks["items"][0]["id"], answer["firings"][0]["tasks"][0]);
}

#[tokio::test]
async fn a_plan_that_was_read_as_the_server_died_is_read_again_and_runs_once() {
    let serving = Serving::start().await;
    let source = serving.folder.path().join("app");
    std::fs::create_dir(&source).unwrap();
    git(&source, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(
        source.join(".caracal.yml"),
        "jobs: { a: { steps: [{ run: 'true' }] }, b: { steps: [{ run: 'true' }] } }",
    )
    .unwrap();
    commit(&source, "one");
    let document = format!(
        "name: app\nsource: {{ git: {} }}\nfile: .caracal.yml\n",
        source.display()
    );
    let plan = serving.made("/plans", json!({ "document": document })).await["id"].clone();
    let serving = again(serving, "server.resolved=kill").await;
    // It may die over the answer: the task is there all the same, or it is not and nothing of it is.
    let body = json!({}).to_string();
    let heads = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
        serving.token
    );
    serving
        .sent("POST", &format!("/api/v1/plans/{plan}/tasks"), &heads, &body)
        .await;
    let serving = died(serving, "server.resolved").await;
    let tasks = serving
        .until("/tasks", |t| {
            items(t).iter().any(|t| !t["jobs"].as_array().unwrap().is_empty())
        })
        .await;
    assert_eq!(items(&tasks).len(), 1, "{tasks}");
    let jobs: Vec<_> = tasks["items"][0]["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|j| j["name"].clone())
        .collect();
    assert_eq!(jobs, ["a", "b"]);
}
