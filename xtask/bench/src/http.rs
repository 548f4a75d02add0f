//! A small HTTP/1.1 client over any stream: one connection kept open, no retries, nothing hidden in its timings.
//!
//! **Invariant:** an answer is read to its end before it is returned, so that the next call starts clean.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// A connection.
pub struct Http<S> {
    stream: BufReader<S>,
    headers: String,
}

/// An answer, whole.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body, without chunk marks but still compressed if it was.
    pub body: Vec<u8>,
    /// Bytes on the wire, head included.
    pub wire: usize,
}

impl Answer {
    /// The body as JSON; any status but 2xx is an error that shows it.
    pub fn json(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        if !(200..300).contains(&self.status) {
            bail!("answered {}: {text}", self.status);
        }
        if text.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_str(&text).context("reading the answer")
        }
    }
}

impl Http<TcpStream> {
    /// Connects to `host:port`; every request carries `token`, if there is one.
    pub async fn tcp(address: &str, token: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let authorization = token
            .map(|token| format!("Authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        Ok(Self {
            stream: BufReader::new(stream),
            headers: format!("Host: {address}\r\n{authorization}"),
        })
    }
}

impl Http<UnixStream> {
    /// Connects to the unix socket at `path`.
    pub async fn unix(path: &str) -> Result<Self> {
        let stream = UnixStream::connect(path)
            .await
            .with_context(|| format!("connecting to {path}"))?;
        Ok(Self {
            stream: BufReader::new(stream),
            headers: "Host: engine\r\n".into(),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    /// GET.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        self.call("GET", path, "", "").await
    }

    /// POST of a JSON body; the answer as JSON.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.call("POST", path, "Content-Type: application/json\r\n", &text)
            .await?
            .json()
    }

    /// Any call; `more` are whole header lines.
    pub async fn call(&mut self, method: &str, path: &str, more: &str, body: &str) -> Result<Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{}{more}Content-Length: {}\r\n\r\n{body}",
            self.headers,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        let (status, head, mut wire) = self.head().await?;
        let header = |name: &str| {
            head.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let mut body = Vec::new();
        if method == "HEAD" || matches!(status, 101 | 204 | 304) {
            // no body
        } else if header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            wire += self.chunks(&mut body).await?;
        } else if let Some(length) = header("content-length") {
            body.resize(length.parse()?, 0);
            self.stream.read_exact(&mut body).await?;
            wire += body.len();
        } else {
            wire += self.stream.read_to_end(&mut body).await?;
        }
        Ok(Answer { status, body, wire })
    }

    /// Sends an upgrade request and reads its head; the stream then carries the other protocol.
    pub async fn upgrade(&mut self, path: &str) -> Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\n{}Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
            self.headers
        );
        self.stream.write_all(head.as_bytes()).await?;
        let (status, ..) = self.head().await?;
        if status != 101 && status != 200 {
            bail!("the upgrade was answered with {status}");
        }
        Ok(())
    }

    /// Reads until the other side closes.
    pub async fn read_to_end(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn head(&mut self) -> Result<(u16, Vec<String>, usize)> {
        let (mut lines, mut wire) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).await?;
            if read == 0 {
                bail!("the connection was closed before an answer");
            }
            wire += read;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines
            .first()
            .and_then(|line| line.split(' ').nth(1))
            .context("no status line")?;
        Ok((status.parse()?, lines.split_off(1), wire))
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Result<usize> {
        let mut wire = 0;
        loop {
            let mut line = String::new();
            wire += self.stream.read_line(&mut line).await?;
            let size =
                usize::from_str_radix(line.trim().split(';').next().unwrap_or(""), 16).context("a chunk's size")?;
            let at = body.len();
            body.resize(at + size + 2, 0);
            self.stream.read_exact(&mut body[at..]).await?;
            body.truncate(at + size);
            wire += size + 2;
            if size == 0 {
                return Ok(wire);
            }
        }
    }
}
