//! An agent on another machine, as far as one machine can show it: `caracal serve --no-agent` and `caracal agent` as
//! processes of their own, with a data folder each.

use crate::program::{STUCK, Serving, caracal, done, signal};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Child;

impl Serving {
    /// Starts an agent in a folder.
    fn agent(&self, folder: &Path, more: &[&str]) -> Child {
        let url = format!("http://{}", self.at);
        let args = ["agent", "--server", &url, "--executor", "process", "--slots", "2"];
        caracal(folder, &[&args[..], more].concat()).spawn().unwrap()
    }

    async fn online(&self, id: i64) -> Value {
        self.until(&format!("/agents/{id}"), |a| a["status"] == "online").await
    }

    /// Makes a plan of one step and runs it; the task's id.
    async fn run(&self, name: &str, script: &str) -> i64 {
        let document = format!("name: {name}\nsteps:\n  - run: {}\n", json!(script));
        let (status, plan) = self.call("POST", "/plans", Some(json!({ "document": document }))).await;
        assert_eq!(status, 201, "{plan}");
        let (status, task) = self
            .call("POST", &format!("/plans/{}/tasks", plan["id"]), Some(json!({})))
            .await;
        assert_eq!(status, 201, "{task}");
        task["id"].as_i64().unwrap()
    }

    async fn stop(self) {
        signal(&self.child, "-TERM").await;
        done(self.child).await;
    }
}

#[tokio::test]
async fn a_second_machine_registers_works_comes_back_and_goes() {
    let server = Serving::start().await;
    let folder = tempfile::tempdir().unwrap();
    let token = server.said(&["agent-token", "create", "--label", "pool=fast"]).await;
    assert!(engine::auth::secret::agent_well_formed(&token), "{token}");
    assert!(
        server
            .said(&["agent-token", "list"])
            .await
            .starts_with("1 1 of 1 left, until ")
    );
    let agent = server.agent(
        folder.path(),
        &["--token", &token, "--name", "kiln", "--label", "pool=slow"],
    );
    let seen = server.online(1).await;
    assert_eq!((seen["name"].as_str(), seen["slots"].as_i64()), (Some("kiln"), Some(2)));
    assert_eq!(seen["labels"]["pool"], "fast", "the token's label wins");
    assert_eq!(server.said(&["agent-token", "list"]).await, "");
    server
        .until("/agents/1", |a| a["load"]["memory_used"].as_u64() > Some(0))
        .await;
    let task = server.run("one", "echo on $CARACAL_TASK_ID").await;
    let ran = server
        .until(&format!("/tasks/{task}"), |t| t["status"] == "passed")
        .await;
    assert_eq!(ran["agent"]["name"], "kiln");
    let listed = server.get("/tasks?agent=kiln").await;
    assert_eq!(listed["items"][0]["id"], task);

    // Killed, it is unreachable; started again without a token it is the same agent.
    let mut agent = agent;
    agent.kill().await.unwrap();
    server.until("/agents/1", |a| a["status"] == "unreachable").await;
    let agent = server.agent(folder.path(), &[]);
    server.online(1).await;
    let task = server.run("two", "echo again").await;
    server
        .until(&format!("/tasks/{task}"), |t| t["status"] == "passed")
        .await;

    // A signal ends it in order; the server knows that it went.
    signal(&agent, "-TERM").await;
    let out = done(agent).await;
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    server.until("/agents/1", |a| a["status"] == "offline").await;
    let events = server.get("/agents/1/events").await;
    let kinds: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "agent.offline",
            "agent.draining",
            "agent.online",
            "agent.unreachable",
            "agent.online",
            "agent.registered"
        ]
    );
    server.stop().await;
}

#[tokio::test]
async fn a_drained_agent_takes_nothing_and_a_removed_one_ends() {
    let server = Serving::start().await;
    let folder = tempfile::tempdir().unwrap();
    let token = server.said(&["agent-token", "create"]).await;
    let agent = server.agent(folder.path(), &["--token", &token]);
    let seen = server.online(1).await;
    let drain = json!({ "version": seen["version"], "availability": "draining" });
    let (status, drained) = server.call("PATCH", "/agents/1", Some(drain)).await;
    assert_eq!((status, drained["availability"].as_str()), (200, Some("draining")));
    let task = server.run("one", "sleep 600").await;
    assert_eq!(server.get(&format!("/tasks/{task}")).await["status"], "pending");
    let resume = json!({ "version": drained["version"], "availability": "active" });
    assert_eq!(server.call("PATCH", "/agents/1", Some(resume)).await.0, 200);
    server
        .until(&format!("/tasks/{task}"), |t| t["jobs"][0]["status"] == "running")
        .await;
    assert_eq!(server.call("DELETE", "/agents/1", None).await.0, 409);
    assert_eq!(server.call("DELETE", "/agents/1?force=true", None).await.0, 204);
    server.until(&format!("/tasks/{task}"), |t| t["status"] == "lost").await;
    let out = done(agent).await;
    assert_eq!(out.status.code(), Some(6));
    let again = server.agent(folder.path(), &[]);
    let out = done(again).await;
    assert_eq!(out.status.code(), Some(6));
    let line = String::from_utf8_lossy(&out.stderr);
    assert!(line.contains("caracal: This agent was removed by an admin."), "{line}");
    server.stop().await;
}

#[tokio::test]
async fn each_wrong_start_is_one_line_and_a_code_that_tells() {
    let server = Serving::start().await;
    let used = server.said(&["agent-token", "create"]).await;
    let revoked = server.said(&["agent-token", "create", "--uses", "2"]).await;
    server.said(&["agent-token", "revoke", "2"]).await;
    let good = server.said(&["agent-token", "create", "--uses", "2"]).await;
    let first = tempfile::tempdir().unwrap();
    let _first = server.agent(first.path(), &["--token", &used, "--name", "kiln"]);
    server.online(1).await;
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let foreign = format!("http://{}", web.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = web.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = tcp.read(&mut head).await;
            let _ = tcp
                .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    let ours = format!("http://{}", server.at);
    for (args, code, want) in [
        (vec!["--server", &ours], 2, "give it a token with --token"),
        (vec!["--server", "ci"], 2, "is no server address"),
        (vec![], 2, "--server is missing"),
        (vec!["--server", &ours, "--token", "agt_guess"], 3, "token is wrong"),
        (vec!["--server", &ours, "--token", &used], 3, "is used up"),
        (vec!["--server", &ours, "--token", &revoked], 3, "was revoked"),
        (vec!["--server", &foreign, "--token", &good], 5, "is no Caracal server"),
        (
            vec!["--server", &ours, "--token", &good, "--name", "kiln"],
            7,
            "There is an agent `kiln` already",
        ),
        (
            vec!["--server", "https://localhost:1", "--token", &good, "--ca", "none.pem"],
            1,
            "none.pem cannot be read",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = done(
            caracal(folder.path(), &[&["agent"][..], &args].concat())
                .spawn()
                .unwrap(),
        )
        .await;
        let line = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {line}");
        assert!(line.starts_with("caracal: ") && line.contains(want), "{args:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    serving.abort();
    // Another process with the same data waits for nothing.
    let out = done(server.agent(first.path(), &[])).await;
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("another agent uses the folder"));
    server.stop().await;
}

#[tokio::test]
async fn a_copied_agent_takes_over_and_the_first_ends() {
    let server = Serving::start().await;
    let token = server.said(&["agent-token", "create"]).await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = server.agent(one.path(), &["--token", &token]);
    server.online(1).await;
    std::fs::create_dir(two.path().join("agent")).unwrap();
    std::fs::copy(
        one.path().join("agent/identity.json"),
        two.path().join("agent/identity.json"),
    )
    .unwrap();
    let second = server.agent(two.path(), &[]);
    let out = done(first).await;
    assert_eq!(out.status.code(), Some(6));
    let line = String::from_utf8_lossy(&out.stderr);
    assert!(
        line.contains("Another process has connected with this agent's credential"),
        "{line}"
    );
    let task = server.run("one", "true").await;
    server
        .until(&format!("/tasks/{task}"), |t| t["status"] == "passed")
        .await;
    // A first signal drains; it holds nothing, so it ends.
    signal(&second, "-INT").await;
    assert_eq!(done(second).await.status.code(), Some(0));
    server.stop().await;
}

#[tokio::test]
async fn a_new_agent_waits_for_a_server_that_is_not_there_yet() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = held.local_addr().unwrap();
    drop(held);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{at}");
    let mut agent = caracal(folder.path(), &["agent", "--server", &url, "--token", "agt_x"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(agent.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(STUCK, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        line.contains("cannot be reached yet") && line.contains("Trying until it can"),
        "{line}"
    );
    signal(&agent, "-TERM").await;
    assert_eq!(done(agent).await.status.code(), Some(0));
}

/// A script that says where it is and waits for a file.
fn gated(gate: &Path) -> String {
    let gate = gate.display();
    format!("echo before; until [ -e {gate}/open ]; do sleep 0.05; done; echo after")
}

/// A folder that steps may look into: they see `/tmp` neither as it is nor at all, `/opt` and the like they do.
fn gate() -> TempDir {
    tempfile::Builder::new()
        .prefix("caracal-gate-")
        .tempdir_in("/dev/shm")
        .unwrap()
}

#[tokio::test]
async fn a_drained_program_finishes_what_runs_and_a_killed_one_takes_it_up_again() {
    let server = Serving::start().await;
    let token = server.said(&["agent-token", "create"]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut agent = server.agent(folder.path(), &["--token", &token]);
    server.online(1).await;
    let running = |t: &Value| t["jobs"][0]["steps"][0]["bytes"].as_i64() > Some(0);

    // Killed in the middle: the step goes on, and the next start takes it up.
    let first = gate();
    let task = server.run("one", &gated(first.path())).await;
    server.until(&format!("/tasks/{task}"), running).await;
    agent.kill().await.unwrap();
    server.until("/agents/1", |a| a["status"] == "unreachable").await;
    assert_eq!(server.get(&format!("/tasks/{task}")).await["status"], "running");
    let agent = server.agent(folder.path(), &[]);
    server.online(1).await;
    std::fs::write(first.path().join("open"), "").unwrap();
    let ended = server
        .until(&format!("/tasks/{task}"), |t| t["status"] != "running")
        .await;
    assert_eq!(ended["status"], "passed", "{ended}");

    // Told to stop in the middle: it finishes, takes nothing new, and goes.
    let second = gate();
    let task = server.run("two", &gated(second.path())).await;
    server.until(&format!("/tasks/{task}"), running).await;
    signal(&agent, "-TERM").await;
    server.until("/agents/1", |a| a["leaving"] == true).await;
    let late = server.run("three", "true").await;
    let waits = server.get(&format!("/tasks/{late}")).await;
    assert_eq!(waits["status"], "pending");
    assert!(
        waits["reason"].as_str().is_some_and(|r| r.contains("draining")),
        "{waits}"
    );
    std::fs::write(second.path().join("open"), "").unwrap();
    server
        .until(&format!("/tasks/{task}"), |t| t["status"] == "passed")
        .await;
    let out = done(agent).await;
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    server.until("/agents/1", |a| a["status"] == "offline").await;
    let _back = server.agent(folder.path(), &[]);
    server
        .until(&format!("/tasks/{late}"), |t| t["status"] == "passed")
        .await;
    server.stop().await;
}
