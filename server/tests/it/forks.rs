//! Pull requests from forks over HTTP: nothing of a stranger's runs before a member has approved that very revision
//! (reliability S29).

use crate::house::{Call, House, ORIGIN, call};
use domain::auth::Role;
use futures::FutureExt;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

const SECRET: &str = "a secret of both sides";

/// A server, people, and a trigger for pull requests of a plan that is kept in its repository.
struct Site {
    house: House,
    ana: String,
    run: String,
    see: String,
    source: PathBuf,
    path: String,
}

/// A pull request as it is told.
#[derive(Clone, Copy)]
struct Told<'a> {
    action: &'a str,
    sha: &'a str,
    branch: &'a str,
    /// Id of the repository it comes from; ours is 1.
    from: u64,
    author: &'a str,
}

impl Site {
    async fn new() -> Self {
        let house = House::new().await;
        let (ana, run) = (
            house.user("ana", Role::Editor).await,
            house.user("rob", Role::Runner).await,
        );
        let see = house.user("vic", Role::Viewer).await;
        let source = house.dir.path().join("srv/money/ledger");
        std::fs::create_dir_all(&source).unwrap();
        let site = Self {
            house,
            ana,
            run,
            see,
            source,
            path: String::new(),
        };
        site.git(&["init", "--quiet", "--initial-branch=main"]);
        site.commit("steps: [{name: ours, run: make}]");
        let path = site.trigger("kept", "file: .caracal.yml").await;
        Self { path, ..site }
    }

    /// A plan over the repository and a trigger for it; the path of its hook.
    async fn trigger(&self, name: &str, rest: &str) -> String {
        let source = self.source.display();
        let document = format!("name: {name}\nsource: {{ git: \"{source}\" }}\n{rest}\n");
        let plan = self
            .house
            .post("/api/v1/plans", &self.ana, &json!({ "document": document }))
            .await;
        assert_eq!(plan.status, 201, "{}", plan.text());
        let wish = json!({
            "name": name, "kind": "webhook", "plan_id": plan.json()["id"],
            "config": { "provider": "github", "secret": SECRET },
        });
        let trigger = self.house.post("/api/v1/triggers", &self.ana, &wish).await;
        assert_eq!(trigger.status, 201, "{}", trigger.text());
        trigger.json()["url"]
            .as_str()
            .unwrap()
            .strip_prefix(ORIGIN)
            .unwrap()
            .to_owned()
    }

    fn git(&self, args: &[&str]) -> String {
        let who = [
            "-c",
            "user.name=M",
            "-c",
            "user.email=m@example.org",
            "-c",
            "commit.gpgsign=false",
        ];
        let out = Command::new("git")
            .args(who)
            .args(args)
            .current_dir(&self.source)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Commits the plan's file; the commit.
    fn commit(&self, text: &str) -> String {
        std::fs::write(self.source.join(".caracal.yml"), text).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", text]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Delivers a pull request; the task that it started.
    async fn told(&self, path: &str, id: &str, pr: Told<'_>) -> i64 {
        let body = json!({
            "action": pr.action, "repository": { "full_name": "money/ledger" }, "sender": { "login": pr.author },
            "pull_request": {
                "number": 7, "title": "Faster", "user": { "login": pr.author },
                "head": { "ref": pr.branch, "sha": pr.sha, "repo": { "id": pr.from, "full_name": "mallory/ledger" } },
                "base": { "ref": "main", "repo": { "id": 1 } },
            },
        });
        let reply = self.house.send(signed(path, id, &body.to_string())).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        let said = reply.json();
        assert_eq!(said["firings"][0]["verdict"], "started", "{said}");
        said["firings"][0]["tasks"][0].as_i64().unwrap()
    }

    async fn task(&self, id: i64) -> Value {
        self.house.get(&format!("/api/v1/tasks/{id}"), &self.see).await.json()
    }

    /// The task once what it asks of its source is answered.
    async fn resolved(&self, id: i64) -> Value {
        let mut news = self.house.engine.store.news();
        loop {
            let task = self.task(id).await;
            if task["awaits_approval"] == true || !task["jobs"].as_array().unwrap().is_empty() {
                return task;
            }
            let next = tokio::time::timeout(std::time::Duration::from_secs(10), news.recv()).await;
            assert!(next.is_ok(), "{task}");
        }
    }

    async fn approve(&self, id: i64, token: &str) -> u16 {
        let path = format!("/api/v1/tasks/{id}/approve");
        self.house.send(call("POST", &path).token(token)).await.status.as_u16()
    }

    async fn queued(&self, id: i64) -> Value {
        let all = self.house.get("/api/v1/queue", &self.see).await.json();
        let items = all["items"].as_array().unwrap().clone();
        items.into_iter().find(|i| i["task_id"] == id).unwrap_or_default()
    }
}

fn signed(path: &str, id: &str, body: &str) -> Call {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mac = mac.finalize().into_bytes().iter().fold(String::new(), |mut s, b| {
        write!(s, "{b:02x}").unwrap();
        s
    });
    call("POST", path)
        .raw(body)
        .header("content-type", "application/json")
        .header("x-github-event", "pull_request")
        .header("x-github-delivery", id)
        .header("x-hub-signature-256", &format!("sha256={mac}"))
}

#[tokio::test]
async fn a_strangers_revision_waits_for_a_member_and_no_other_one_is_approved_with_it() {
    let site = Site::new().await;
    let evil = site.commit("steps: [{name: theirs, run: steal}]");
    let opened = Told {
        action: "opened",
        sha: &evil,
        branch: "main",
        from: 2,
        author: "mallory",
    };
    let first = site.told(&site.path, "d-1", opened).await;
    let task = site.resolved(first).await;
    assert_eq!(
        (&task["status"], &task["awaits_approval"]),
        (&json!("pending"), &json!(true)),
        "{task}"
    );
    assert_eq!(
        (&task["cause"]["fork"], &task["branch"]),
        (&json!("mallory/ledger"), &Value::Null)
    );
    assert_eq!(
        task["jobs"][0]["steps"][0]["name"], "theirs",
        "a member sees what would run"
    );
    let why = format!(
        "Waits for a member to approve {}, which comes from the fork mallory/ledger.",
        &evil[..12]
    );
    assert_eq!(task["reason"], json!(why));
    assert_eq!(site.queued(first).await["blocker"], Value::Null);
    assert!(
        site.queued(first).await["reason"]
            .as_str()
            .unwrap()
            .contains("approve its revision")
    );

    // Close and reopen, another branch name, the name of a member: the same revision, not approved.
    let reopened = Told {
        action: "reopened",
        branch: "renamed",
        author: "ana",
        ..opened
    };
    let second = site.told(&site.path, "d-2", reopened).await;
    assert_eq!(site.resolved(second).await["awaits_approval"], true);
    // What is pushed now is another revision.
    let pushed = site.commit("steps: [{name: theirs, run: steal more}]");
    let third = site
        .told(
            &site.path,
            "d-3",
            Told {
                action: "synchronize",
                sha: &pushed,
                ..opened
            },
        )
        .await;
    assert_eq!(site.resolved(third).await["awaits_approval"], true);
    // Another plan has its own say.
    let other = site.trigger("other", "steps: [{run: make}]").await;
    let elsewhere = site.told(&other, "d-1", opened).await;
    assert_eq!(site.resolved(elsewhere).await["awaits_approval"], true);

    assert_eq!(site.approve(first, &site.see).await, 403);
    assert_eq!(site.task(first).await["awaits_approval"], true);
    assert_eq!(site.approve(first, &site.run).await, 200);
    for (id, waits) in [(first, false), (second, false), (third, true), (elsewhere, true)] {
        let task = site.task(id).await;
        assert_eq!(task["awaits_approval"].as_bool().unwrap_or(false), waits, "{task}");
        assert_eq!(task["status"], "pending");
    }
    let waits = site.queued(first).await["reason"].as_str().unwrap().to_owned();
    assert!(waits.contains("agent"), "it now waits for an agent alone: {waits}");
    assert_eq!(site.approve(first, &site.run).await, 409);
    // Sent again it is approved still.
    let fourth = site.told(&site.path, "d-4", reopened).await;
    let task = site.resolved(fourth).await;
    assert_eq!(task["awaits_approval"].as_bool(), None, "{task}");
    // Two tasks went on, and the log says who let them.
    let (entries, broken) = site.house.engine.store.audit_check().await.unwrap();
    assert!(entries >= 2 && broken.is_none());
}

#[tokio::test]
async fn ours_runs_at_once_and_what_nobody_approves_ends() {
    let site = Site::new().await;
    let sha = site.git(&["rev-parse", "HEAD"]);
    let ours = Told {
        action: "opened",
        sha: &sha,
        branch: "faster",
        from: 1,
        author: "mei",
    };
    let own = site.told(&site.path, "d-1", ours).await;
    let task = site.resolved(own).await;
    assert_eq!(
        (&task["awaits_approval"], &task["branch"]),
        (&Value::Null, &json!("faster"))
    );
    assert_eq!(task["cause"].get("fork"), None);

    let theirs = site.told(&site.path, "d-2", Told { from: 2, ..ours }).await;
    assert_eq!(site.resolved(theirs).await["awaits_approval"], true);
    // A rerun of what was never approved waits too; one that was aborted cannot be approved.
    let again = site
        .house
        .post(&format!("/api/v1/tasks/{theirs}/rerun"), &site.run, &json!({}))
        .await
        .json();
    assert_eq!(
        (&again["awaits_approval"], &again["cause"]["fork"]),
        (&json!(true), &json!("mallory/ledger"))
    );
    let gone = again["id"].as_i64().unwrap();
    let aborted = site
        .house
        .post(&format!("/api/v1/tasks/{gone}/abort"), &site.run, &json!({}))
        .await
        .json();
    assert_eq!(aborted["status"], "aborted");
    assert_eq!(site.approve(gone, &site.run).await, 409);

    use engine::clock::Clock as _;
    let expire = || engine::queue::approval::expire(&site.house.engine.store, site.house.clock.now()).boxed();
    site.house.clock.advance(13 * 86_400_000);
    assert_eq!(expire().await.unwrap().0, 0);
    site.house.clock.advance(2 * 86_400_000);
    assert_eq!(expire().await.unwrap().0, 1);
    let ended = site.task(theirs).await;
    assert_eq!(ended["status"], "aborted");
    assert!(
        ended["reason"].as_str().unwrap().contains("nobody approved it"),
        "{ended}"
    );
    assert_eq!(
        site.task(own).await["status"],
        "pending",
        "what waits for an agent goes on waiting"
    );
}
