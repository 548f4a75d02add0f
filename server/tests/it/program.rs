//! The program as processes of their own, with a data folder each: what it says, over its real sockets.
//!
//! **Invariant:** whoever waits for it waits for something that is looked at, and not for ever.

use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Nothing a test waits for takes this long; it only ends a test that would hang.
pub const STUCK: Duration = Duration::from_secs(30);

pub fn caracal(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caracal"));
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("CARACAL_DATA", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub async fn done(child: Child) -> Output {
    tokio::time::timeout(STUCK, child.wait_with_output())
        .await
        .expect("it does not end")
        .unwrap()
}

/// Sends a signal to a child.
pub async fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args([name, &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
}

/// A data folder with a person who may do all, and a token of theirs.
pub async fn prepared() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let add = ["user", "add", "ana", "--role", "admin", "--password-stdin"];
    let mut adding = caracal(folder.path(), &add).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = adding.stdin.take().unwrap();
    stdin.write_all(b"correct horse\n").await.unwrap();
    drop(stdin);
    assert!(done(adding).await.status.success());
    let token = said(folder.path(), &["token", "create", "--user", "ana"]).await;
    (folder, token)
}

/// What a command over a data folder prints.
async fn said(folder: &Path, args: &[&str]) -> String {
    let out = done(caracal(folder, args).spawn().unwrap()).await;
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
}

/// Runs git in a folder.
pub fn git(folder: &Path, args: &[&str]) {
    let who = [
        "-c",
        "user.name=Mei",
        "-c",
        "user.email=mei@example.org",
        "-c",
        "commit.gpgsign=false",
    ];
    let mut git = std::process::Command::new("git");
    let out = git.args(who).args(args).current_dir(folder).output().unwrap();
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// A running server.
pub struct Serving {
    pub folder: TempDir,
    pub at: SocketAddr,
    pub token: String,
    pub child: Child,
}

impl Serving {
    /// A server with a person who may do all.
    pub async fn start() -> Self {
        let (folder, token) = prepared().await;
        Self::on(folder, token, "").await
    }

    /// A server over what another one has left, which dies at these instants; what it says of them is kept.
    pub async fn on(folder: TempDir, token: String, failpoints: &str) -> Self {
        Self::with(&["--no-agent"], folder, token, failpoints).await
    }

    /// The same, told more on its command line.
    pub async fn with(flags: &[&str], folder: TempDir, token: String, failpoints: &str) -> Self {
        let mut serve = caracal(folder.path(), &[&["serve", "--listen", "127.0.0.1:0"], flags].concat());
        if failpoints.is_empty() {
            serve.stderr(Stdio::null());
        }
        serve.env("CARACAL_FAILPOINTS", failpoints);
        Self::of(serve, folder, token).await
    }

    /// The server that a command is.
    pub async fn of(mut serve: Command, folder: TempDir, token: String) -> Self {
        let mut child = serve.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(STUCK, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let at = first
            .split("http://")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        Self {
            folder,
            at,
            token,
            child,
        }
    }

    /// What a command beside the server prints.
    pub async fn said(&self, args: &[&str]) -> String {
        said(self.folder.path(), args).await
    }

    /// Makes something over the API; what came of it.
    pub async fn made(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call("POST", path, Some(body)).await;
        assert_eq!(status, 201, "{path}: {answer}");
        answer
    }

    /// A call of the API.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let proof = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
            self.token
        );
        self.sent(method, &format!("/api/v1{path}"), &proof, &body)
            .await
            .expect("an answer")
    }

    /// Sends a request with these heads; `None` when the server died over it.
    pub async fn sent(&self, method: &str, path: &str, heads: &str, body: &str) -> Option<(u16, Value)> {
        let (status, body) = self.answered(method, path, heads, body).await?;
        Some((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
    }

    /// The text that stands at a path of the API.
    pub async fn text(&self, path: &str) -> String {
        let proof = format!("authorization: Bearer {}\r\n", self.token);
        let answer = self.answered("GET", &format!("/api/v1{path}"), &proof, "").await;
        answer.expect("an answer").1
    }

    async fn answered(&self, method: &str, path: &str, heads: &str, body: &str) -> Option<(u16, String)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{heads}content-length: {}\r\n\r\n{body}",
            self.at,
            body.len()
        );
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// What stands at a path of the API.
    pub async fn get(&self, path: &str) -> Value {
        let (status, value) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    /// Looks until it is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = std::time::Instant::now();
        loop {
            // Before an agent has registered there is none.
            let seen = self.call("GET", path, None).await.1;
            if wanted(&seen) {
                return seen;
            }
            assert!(begun.elapsed() < STUCK, "{path} stays {seen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
