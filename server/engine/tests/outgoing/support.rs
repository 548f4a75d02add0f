//! Servers that say what a test wants, and repositories.

use engine::outgoing::client::{Client, Limits};
use engine::outgoing::git::{Git, Patience};
use engine::outgoing::{Guard, Lookup};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

/// A server that answers each request by a function of its head, and keeps the heads.
pub struct Said {
    pub at: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Said {
    pub async fn by(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    pub async fn at(address: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let at = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, answer) = (heads.clone(), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let (kept, answer) = (kept.clone(), answer.clone());
                tokio::spawn(async move {
                    let head = head(&mut tcp).await;
                    let text = answer(&head);
                    kept.lock().unwrap().push(head);
                    let _ = tcp.write_all(text.as_bytes()).await;
                    let _ = tcp.shutdown().await;
                });
            }
        });
        Self { at, heads }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

pub use crate::backend::head;

pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub fn moved(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

/// A guard that lets to these addresses beside the open Internet.
pub fn guard(allowed: &[&str]) -> Guard {
    let allowed: Vec<_> = allowed.iter().map(|r| r.parse().unwrap()).collect();
    Guard::new(&allowed, false)
}

pub fn client(allowed: &[&str]) -> Client {
    Client::new(guard(allowed), Limits::default())
}

/// Names as a test says, each answer once and then the last again.
pub struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub asked: AtomicUsize,
}

impl Names {
    pub fn of(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let parsed = |answers: &[&[&str]]| {
            answers
                .iter()
                .map(|a| a.iter().map(|ip| ip.parse().unwrap()).collect())
                .collect()
        };
        Arc::new(Self {
            answers: Mutex::new(names.iter().map(|(n, a)| ((*n).to_owned(), parsed(a))).collect()),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Lookup for Names {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let found = answers
            .get_mut(host)
            .map(|a| if a.len() > 1 { a.remove(0) } else { a[0].clone() });
        Box::pin(async move { found.ok_or_else(|| std::io::Error::other("no such name")) })
    }
}

/// A git that waits as long as a test wants.
pub fn git_within(dir: &Path, guard: Guard, ask: Duration) -> Git {
    let client = Client::new(guard.clone(), Limits::default());
    let patience = Patience {
        ask,
        fetch: ask,
        ..Patience::default()
    };
    Git::open(dir.join("outgoing"), guard, client, patience).unwrap()
}

/// A repository with a working tree.
pub struct Repository {
    pub dir: TempDir,
}

impl Repository {
    pub fn new() -> Self {
        let me = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(me.path()).unwrap();
        me.git(&["init", "-q", "-b", "main"]);
        me
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("app")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    pub fn git(&self, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(["-c", "user.name=Ana Ito", "-c", "user.email=ana@example.org"])
            .args(args)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Writes a file and commits it; gives back the commit.
    pub fn commit(&self, path: &str, text: &str, message: &str) -> String {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Processes whose arguments hold a text.
pub fn processes(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|e| std::fs::read(e.path().join("cmdline")).ok())
        .map(|c| String::from_utf8_lossy(&c).replace('\0', " "))
        .filter(|c| c.contains(text))
        .collect()
}
