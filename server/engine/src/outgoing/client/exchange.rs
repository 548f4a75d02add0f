//! One request and its answer over a connection of its own.
//!
//! **Invariant:** no more of an answer is held than its limit; when this ends, the connection is closed.

use super::super::fault::Span;
use super::super::{Fault, FaultKind};
use super::redirect::shown;
use super::{Answer, Client, Request};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use url::{Position, Url};

/// Most headers of an answer, and most bytes of them.
const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 * 1024;

impl Client {
    /// Sends it to one address and reads the answer, its body where it is `wanted` and no redirect's.
    pub(super) async fn exchange(&self, url: &Url, request: &Request, wanted: bool) -> Result<Answer, Fault> {
        let stream = self.connect(url).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(HEADERS)
            .max_buf_size(HEADER_BYTES)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|e| broke(url, &e))?;
        let talk = async {
            let sent = sender.send_request(self.head(url, request)?);
            let answer = match timeout(self.limits.headers, sent).await {
                Err(_) => return Err(slow(url, self.limits.headers)),
                Ok(answer) => answer.map_err(|e| broke(url, &e))?,
            };
            let (parts, body) = answer.into_parts();
            let body = match wanted && !parts.status.is_redirection() {
                true => whole(url, body, self.limits.body).await?,
                false => Bytes::new(),
            };
            Ok(Answer {
                status: parts.status,
                headers: parts.headers,
                body,
                url: url.clone(),
            })
        };
        // The connection moves with the talk, in this task alone: when either is dropped, both are.
        let drive = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            done = talk => done,
            () = drive => Err(Fault::new(FaultKind::Unreachable, format!("{} closed the connection.", shown(url)))),
        }
    }

    fn head(&self, url: &Url, request: &Request) -> Result<http::Request<Full<Bytes>>, Fault> {
        let refuse = |e: &dyn std::fmt::Display| {
            let sentence = format!("The request to {} cannot be sent: {e}.", shown(url));
            Fault::new(FaultKind::Refused, sentence)
        };
        let mut head = http::Request::builder()
            .method(request.method.clone())
            .uri(&url[Position::BeforePath..Position::AfterQuery])
            .body(Full::new(request.body.clone()))
            .map_err(|e| refuse(&e))?;
        let headers = head.headers_mut();
        for (name, value) in request.headers.iter().chain(&request.credentials) {
            headers.append(name, value.clone());
        }
        let host = &url[Position::BeforeHost..Position::AfterPort];
        headers.insert(header::HOST, HeaderValue::from_str(host).map_err(|e| refuse(&e))?);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("caracal/", env!("CARGO_PKG_VERSION"))));
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Ok(head)
    }
}

/// Reads a body to its end, or to the limit.
async fn whole(url: &Url, mut body: Incoming, most: usize) -> Result<Bytes, Fault> {
    let large = || {
        let sentence = format!(
            "{} answers more than {} KiB; no more is taken.",
            shown(url),
            most / 1024
        );
        Fault::new(FaultKind::TooLarge, sentence)
    };
    if body.size_hint().lower() > most as u64 {
        return Err(large());
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| broke(url, &e))?;
        if let Ok(data) = frame.into_data() {
            if read.len() + data.len() > most {
                return Err(large());
            }
            read.extend_from_slice(&data);
        }
    }
    Ok(read.freeze())
}

fn slow(url: &Url, limit: std::time::Duration) -> Fault {
    let sentence = format!("{} did not answer within {}.", shown(url), Span(limit));
    Fault::new(FaultKind::TooSlow, sentence)
}

fn broke(url: &Url, e: &hyper::Error) -> Fault {
    let place = shown(url);
    if e.is_parse_too_large() {
        return Fault::new(
            FaultKind::TooLarge,
            format!("{place} answers with too many or too long headers."),
        );
    }
    if e.is_parse() {
        return Fault::new(
            FaultKind::BadAnswer,
            format!("{place} answers something that is no HTTP ({e})."),
        );
    }
    Fault::new(
        FaultKind::Unreachable,
        format!("{place} closed the connection amid its answer ({e})."),
    )
}
