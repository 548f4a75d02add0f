//! The websocket: made with limits, spoken to in messages of the protocol.
//!
//! **Invariant:** no frame above the protocol's limit is taken, and what waits to be written is bounded.

use super::tls::{self, Untrusted};
use crate::address::Address;
use anyhow::anyhow;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use protocol::{FromAgent, MAX_FRAME, ToAgent, decode, encode};
use std::path::Path;
use std::time::SystemTime;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::http::{Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::either::Either;

/// With TLS or without.
type Stream = WebSocketStream<Either<TcpStream, TlsStream<TcpStream>>>;

/// An open connection.
pub(super) struct Socket {
    write: Writer,
    read: Reader,
    /// The server's clock, as its answer told it.
    pub date: Option<SystemTime>,
}

/// Its sending half.
pub(super) struct Writer(SplitSink<Stream, Message>);
/// Its hearing half.
pub(super) struct Reader(SplitStream<Stream>);

/// Why there is no connection.
pub(super) enum Trouble {
    /// Nothing answers, or it broke: later it may do.
    Broken(anyhow::Error),
    /// Something answers that is not what was meant: one sentence.
    Foreign(String),
}

impl From<Trouble> for anyhow::Error {
    fn from(t: Trouble) -> Self {
        match t {
            Trouble::Broken(e) => e,
            Trouble::Foreign(why) => anyhow!(why),
        }
    }
}

/// Connects to `ws(s)://host:port/path`.
///
/// # Errors
/// When the address is none of these, nothing answers there, it is not trusted, or it is no websocket.
pub(super) async fn connect(server: &str, ca: Option<&Path>) -> Result<Socket, Trouble> {
    let address = Address::parse(server).map_err(Trouble::Broken)?;
    let broken = |e: std::io::Error| Trouble::Broken(anyhow!("nothing answers at {server}: {e}"));
    let tcp = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(broken)?;
    tcp.set_nodelay(true).map_err(broken)?;
    let stream = if address.tls {
        let tls = tls::over(tcp, &address.host, ca).await;
        Either::Right(tls.map_err(|e| untrusted(server, e))?)
    } else {
        Either::Left(tcp)
    };
    let mut limits = WebSocketConfig::default();
    limits.max_frame_size = Some(MAX_FRAME);
    limits.max_message_size = Some(4 * MAX_FRAME);
    limits.write_buffer_size = 64 * 1024;
    limits.max_write_buffer_size = 1 << 20;
    let (stream, answer) = client_async_with_config(address.url.as_str(), stream, Some(limits))
        .await
        .map_err(|e| refused(server, e))?;
    let (write, read) = stream.split();
    Ok(Socket {
        write: Writer(write),
        read: Reader(read),
        date: date(&answer),
    })
}

/// The `Date` of an answer (RFC 9110, 6.6.1).
fn date<T>(answer: &Response<T>) -> Option<SystemTime> {
    httpdate::parse_http_date(answer.headers().get(header::DATE)?.to_str().ok()?).ok()
}

fn untrusted(server: &str, e: Untrusted) -> Trouble {
    let e = match e {
        Untrusted::Set(e) => return Trouble::Broken(e),
        Untrusted::Peer(e) => e,
    };
    match Untrusted::verdict(&e) {
        Some(rustls::Error::InvalidCertificate(why)) => Trouble::Foreign(format!(
            "{server} shows a certificate that is not to be trusted ({why}). Name the file of its authority with --ca."
        )),
        Some(rustls::Error::InvalidMessage(_)) => {
            Trouble::Foreign(format!("{server} does not speak TLS; is it http:// or ws://?"))
        }
        Some(other) => Trouble::Foreign(format!("{server} does not agree on TLS: {other}")),
        None => Trouble::Broken(anyhow!("the connection to {server} broke: {e}")),
    }
}

fn refused(server: &str, e: WsError) -> Trouble {
    match e {
        WsError::Http(answer) => foreign(server, &answer),
        // It went away amid its answer.
        WsError::Io(e) => Trouble::Broken(anyhow!("the connection to {server} broke: {e}")),
        WsError::ConnectionClosed | WsError::AlreadyClosed => {
            Trouble::Broken(anyhow!("{server} closed the connection"))
        }
        WsError::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::HandshakeIncomplete) => {
            Trouble::Broken(anyhow!("{server} closed the connection without an answer"))
        }
        other => Trouble::Foreign(format!("{server} answers, but is no Caracal server ({other})")),
    }
}

/// What a plain HTTP answer to a wish for a websocket says of the one who gave it.
fn foreign<T>(server: &str, answer: &Response<T>) -> Trouble {
    let status = answer.status();
    let location = answer.headers().get(header::LOCATION).and_then(|v| v.to_str().ok());
    match (status.as_u16(), location) {
        // A proxy whose server is away, or a server in trouble.
        (429 | 500..=599, _) => Trouble::Broken(anyhow!("{server} answers {status}")),
        (300..=399, Some(there)) => Trouble::Foreign(format!(
            "{server} answers that it has moved to {there}; give that address"
        )),
        _ => Trouble::Foreign(format!("{server} answers, but is no Caracal server ({status})")),
    }
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

    /// The first text message as it is read, or why it is not ours; `None` when the server closed.
    pub async fn answer(&mut self) -> anyhow::Result<Option<Result<ToAgent, serde_json::Error>>> {
        while let Some(message) = self.read.0.next().await {
            match message? {
                Message::Text(text) => return Ok(Some(decode(&text))),
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
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
