//! The websocket: made with limits, spoken to in messages of the protocol.
//!
//! **Invariant:** no frame above the protocol's limit is taken, and what waits to be written is bounded.

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::Uri;
use protocol::{FromAgent, MAX_FRAME, ToAgent, decode, encode};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// An open connection.
pub(super) struct Socket {
    write: Writer,
    read: Reader,
}

/// Its sending half.
pub(super) struct Writer(SplitSink<WebSocketStream<TcpStream>, Message>);
/// Its hearing half.
pub(super) struct Reader(SplitStream<WebSocketStream<TcpStream>>);

/// Connects to `ws://host:port/path`.
///
/// # Errors
/// When the address is none of these, nothing answers there, or it is no websocket.
pub(super) async fn connect(server: &str) -> anyhow::Result<Socket> {
    let uri: Uri = server.parse().with_context(|| format!("{server} is no address"))?;
    match uri.scheme_str() {
        Some("ws") => {}
        Some("wss") => bail!("this build has no TLS of its own; connect to {server} through a local proxy as ws://"),
        _ => bail!("{server} is no websocket address: it begins with ws://"),
    }
    let host = uri.host().with_context(|| format!("{server} names no host"))?;
    let address = (host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80));
    let tcp = TcpStream::connect(address)
        .await
        .with_context(|| format!("nothing answers at {server}"))?;
    tcp.set_nodelay(true)?;
    let mut limits = WebSocketConfig::default();
    limits.max_frame_size = Some(MAX_FRAME);
    limits.max_message_size = Some(4 * MAX_FRAME);
    limits.write_buffer_size = 64 * 1024;
    limits.max_write_buffer_size = 1 << 20;
    let (stream, _) = client_async_with_config(server, tcp, Some(limits))
        .await
        .with_context(|| format!("{server} does not take agents"))?;
    let (write, read) = stream.split();
    Ok(Socket {
        write: Writer(write),
        read: Reader(read),
    })
}

impl Socket {
    /// Sends one message at once.
    pub async fn send(&mut self, message: &FromAgent) -> anyhow::Result<()> {
        self.write.text(encode(message)).await?;
        self.write.flush().await
    }

    /// The next message; `None` when the server closed.
    pub async fn hear(&mut self) -> anyhow::Result<Option<ToAgent>> {
        self.read.hear().await
    }

    /// Its halves.
    pub fn split(self) -> (Writer, Reader) {
        (self.write, self.read)
    }
}

impl Writer {
    /// Adds a text message to what is to be written.
    pub async fn text(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.0.feed(Message::text(text)).await?)
    }

    /// Adds a binary frame to what is to be written.
    pub async fn frame(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        Ok(self.0.feed(Message::Binary(bytes)).await?)
    }

    /// Writes what was added.
    pub async fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.0.flush().await?)
    }

    /// Says good-bye.
    pub async fn close(&mut self) {
        // The server may be gone already: then there is nobody to say it to.
        let _ = self.0.close().await;
    }
}

impl Reader {
    /// The next message we know; `None` when the server closed.
    pub async fn hear(&mut self) -> anyhow::Result<Option<ToAgent>> {
        while let Some(message) = self.0.next().await {
            match message? {
                Message::Text(text) => match decode(&text) {
                    Ok(message) => return Ok(Some(message)),
                    Err(e) => tracing::debug!("A message of the server is skipped: {e}"),
                },
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }
}
