//! REST calls over connections of one call each: a server that is killed in between costs that call and no other.
//!
//! **Invariant:** an answer is whole or an error; nothing is tried again here, the caller knows what may be sent twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one call may take: longer than the longest freeze.
const CALL: Duration = Duration::from_secs(30);

/// Where calls go, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// `host:port`.
    pub address: String,
    /// A token with every right.
    pub token: String,
    /// Answers 503 so far.
    pub refused: Arc<AtomicU64>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON; any status but 2xx is an error that shows it.
    pub fn json(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        if !(200..300).contains(&self.status) {
            bail!("answered {}: {text}", self.status);
        }
        serde_json::from_str(&text).context("reading the answer")
    }
}

impl Client {
    /// How many calls were answered 503 so far.
    pub fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call("GET", path, "", "").await
    }

    /// POST of a JSON body; with a key, sending it again is harmless.
    pub async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Answer> {
        let key = key.map(|k| format!("Idempotency-Key: {k}\r\n")).unwrap_or_default();
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.call("POST", path, &format!("Content-Type: application/json\r\n{key}"), &text)
            .await
    }

    async fn call(&self, method: &str, path: &str, more: &str, body: &str) -> Result<Answer> {
        let call = async {
            let mut stream = TcpStream::connect(&self.address).await?;
            // HTTP/1.0: the answer ends with the connection, in no chunks.
            let head = format!(
                "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{more}Content-Length: {}\r\n\r\n{body}",
                self.address,
                self.token,
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            let mut raw = Vec::new();
            stream.read_to_end(&mut raw).await?;
            anyhow::Ok(raw)
        };
        let raw = timeout(CALL, call)
            .await
            .with_context(|| format!("{method} {path} was not answered within {} s", CALL.as_secs()))?
            .with_context(|| format!("{method} {path}"))?;
        let answer = parse(&raw).with_context(|| format!("{method} {path}"))?;
        if answer.status == 503 {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answer)
    }
}

/// Reads a whole answer.
pub fn parse(raw: &[u8]) -> Result<Answer> {
    let end = raw
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .context("the connection was closed before an answer")?;
    let head = std::str::from_utf8(&raw[..end])?;
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .context("no status line")?;
    let headers: Vec<_> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let answer = Answer {
        status: status.parse()?,
        headers,
        body: raw[end + 4..].to_vec(),
    };
    if let Some(length) = answer.header("content-length")
        && length.parse::<usize>()? != answer.body.len()
    {
        bail!("the answer was cut short: {} of {length} bytes", answer.body.len());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_that_was_cut_short_is_an_error() {
        let whole = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nCaracal-Gaps: 1\r\n\r\nabc";
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"abc".as_slice()));
        assert_eq!(answer.header("caracal-gaps"), Some("1"));
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}
