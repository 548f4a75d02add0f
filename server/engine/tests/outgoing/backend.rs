//! `git http-backend` behind a small HTTP server.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// Repositories of a folder over HTTP.
pub struct Backend {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

/// How it serves.
#[derive(Clone, Default)]
pub struct Serving {
    /// The folder.
    pub root: PathBuf,
    /// The header that opens it; else it is open.
    pub password: Option<String>,
    /// Where it sends everybody who asks for what begins with this.
    pub moved: Option<(String, String)>,
}

impl Backend {
    pub async fn start(serving: Serving) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = heads.clone();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(tcp, serving.clone(), kept.clone()));
            }
        });
        Self { port, heads }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Reads a request to the end of its head.
pub async fn head(tcp: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        match tcp.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

async fn answer(mut tcp: TcpStream, serving: Serving, kept: Arc<Mutex<Vec<String>>>) {
    let head = head(&mut tcp).await;
    kept.lock().unwrap().push(head.clone());
    let header = |name: &str| {
        head.lines()
            .filter_map(|l| l.split_once(": "))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.to_owned())
    };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Some((from, to)) = &serving.moved
        && let Some(rest) = target.strip_prefix(from.as_str())
    {
        let text =
            format!("HTTP/1.1 301 Moved\r\nlocation: {to}{rest}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = tcp.write_all(text.as_bytes()).await;
        return;
    }
    if serving.password.is_some() && header("authorization") != serving.password {
        let text = "HTTP/1.1 401 No\r\nwww-authenticate: Basic realm=\"git\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = tcp.write_all(text.as_bytes()).await;
        return;
    }
    let length = header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    tcp.read_exact(&mut body).await.unwrap();
    let mut git = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &serving.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", length.to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = git.stdin.take().unwrap();
    let feed = async move {
        let _ = stdin.write_all(&body).await;
    };
    let (_, out) = tokio::join!(feed, git.wait_with_output());
    let out = out.unwrap().stdout;
    let split = out.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(0);
    let cgi = String::from_utf8_lossy(&out[..split]).into_owned();
    let status = cgi.lines().find_map(|l| l.strip_prefix("Status: ")).unwrap_or("200 OK");
    let more: String = cgi
        .lines()
        .filter(|l| !l.starts_with("Status: "))
        .map(|l| format!("{l}\r\n"))
        .collect();
    let text = format!("HTTP/1.1 {status}\r\n{more}connection: close\r\n\r\n");
    let _ = tcp.write_all(text.as_bytes()).await;
    let _ = tcp.write_all(&out[(split + 4).min(out.len())..]).await;
    let _ = tcp.shutdown().await;
}
