//! A client of the local socket: one call, one connection.
//!
//! **Invariant:** it speaks only to a socket in the data folder, with the token that lies beside it.

use crate::web::local::{socket_path, token_path};
use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// A client of a running server.
pub struct Client {
    socket: PathBuf,
    token: String,
}

impl Client {
    /// The client of the server that uses a data folder; `None` when none runs.
    ///
    /// # Errors
    /// When a server runs but its socket or token cannot be used.
    pub async fn of(data: &Path) -> anyhow::Result<Option<Self>> {
        let socket = socket_path(data);
        match UnixStream::connect(&socket).await {
            Ok(_) => {}
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(e) => {
                return Err(e).with_context(|| format!("the server's socket {} cannot be used", socket.display()));
            }
        }
        let path = token_path(data);
        let token = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Some(Self {
            socket,
            token: token.trim().to_owned(),
        }))
    }

    /// Makes a call.
    ///
    /// # Errors
    /// The server's own sentence, or what broke on the way.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<T> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: caracal\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        let mut stream = UnixStream::connect(&self.socket)
            .await
            .context("the server has just ended")?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .await
            .context("the server ended amid its answer")?;
        read(&answer)
    }
}

/// Reads an answer of ours: its length is known, so it is never in chunks.
fn read<T: DeserializeOwned>(answer: &[u8]) -> anyhow::Result<T> {
    let split = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| anyhow!("the server's answer is cut off"))?;
    let head = String::from_utf8_lossy(&answer[..split]);
    let status: u16 = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default();
    let body = match status {
        // Nothing, in JSON.
        204 => b"null",
        _ => &answer[split + 4..],
    };
    if !(200..300).contains(&status) {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        match problem.get("detail").and_then(Value::as_str) {
            Some(detail) => bail!("{detail}"),
            None => bail!("the server answered {status}"),
        }
    }
    serde_json::from_slice(body).context("the server's answer cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_refusals_are_read() {
        assert_eq!(read::<i64>(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n7").expect("reads"), 7);
        for (answer, want) in [
            (
                &b"HTTP/1.1 409 Conflict\r\n\r\n{\"detail\":\"There is one.\"}"[..],
                "There is one.",
            ),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the server answered 502"),
            (b"HTTP/1.1 200 OK\r\n", "the server's answer is cut off"),
        ] {
            assert_eq!(read::<i64>(answer).expect_err("refused").to_string(), want);
        }
    }
}
