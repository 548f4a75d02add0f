//! HTTP requests on others' behalf: polls of URLs, commit status.
//!
//! **Invariant:** each redirect is judged like the first address; credentials stay with the origin they were given for; a
//! request ends within its limits, whatever the other side does. No proxy, no cookies, no second try.

mod connect;
mod exchange;

use super::tls::Trust;
use super::{Fault, FaultKind, Guard};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// Longest URL taken, in bytes.
const URL_MAX: usize = 4_000;

/// What a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To connect, with TLS.
    pub connect: Duration,
    /// From then to the end of the answer's headers.
    pub headers: Duration,
    /// For all of it, redirects too.
    pub whole: Duration,
    /// Bytes of the answer's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            whole: Duration::from_secs(30),
            body: 1 << 20,
        }
    }
}

/// A request.
#[derive(Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Headers that may be sent wherever it is redirected to.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers for this origin alone.
    pub credentials: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// Credentials stay out of it.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

impl Request {
    /// A question.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            credentials: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// What a forge is told of a commit.
    ///
    /// # Errors
    /// When a header of it cannot be one, a token with a line break, say.
    pub fn telling(forge: &domain::forge::Request) -> Result<Self, Fault> {
        let mut request = Self::get(forge.url.as_str());
        request.method = Method::POST;
        request.body = Bytes::from(forge.body.clone());
        for (name, value) in &forge.headers {
            request = request.with(name, value)?;
        }
        request.proving(forge.credentials.0, &forge.credentials.1)
    }

    /// The same with a header.
    ///
    /// # Errors
    /// When name or value cannot be one.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, Fault> {
        self.headers.push(pair(name, value)?);
        Ok(self)
    }

    /// The same with a header for this origin alone.
    ///
    /// # Errors
    /// When name or value cannot be one.
    pub fn proving(mut self, name: &str, value: &str) -> Result<Self, Fault> {
        let (name, mut value) = pair(name, value)?;
        value.set_sensitive(true);
        self.credentials.push((name, value));
        Ok(self)
    }
}

fn pair(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let bad = || {
        Fault::new(
            FaultKind::Refused,
            format!("The header `{}` cannot be sent as it is.", name.escape_debug()),
        )
    };
    let name: HeaderName = name.parse().map_err(|_| bad())?;
    Ok((name, HeaderValue::from_str(value).map_err(|_| bad())?))
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status; no redirect that could be followed.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Where it came from, after redirects.
    pub url: Url,
}

impl Answer {
    /// A header that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer, if it is one that was hoped for (2xx, 304).
    ///
    /// # Errors
    /// What the status says, in words.
    pub fn good(self) -> Result<Self, Fault> {
        let (code, place) = (self.status.as_u16(), shown(&self.url));
        let (kind, what) = match code {
            200..=299 | 304 => return Ok(self),
            401 | 403 | 407 => (
                FaultKind::Unauthorised,
                "does not let this server in; check its credentials",
            ),
            404 | 410 => (
                FaultKind::Missing,
                "has nothing there, or shows it to nobody without credentials",
            ),
            408 | 429 => (FaultKind::Unreachable, "asks for fewer requests"),
            500..=599 => (FaultKind::Unreachable, "is in trouble"),
            _ => (FaultKind::BadAnswer, "does not understand the request"),
        };
        Err(Fault::new(kind, format!("{place} {what} (HTTP {code}).")))
    }
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    limits: Limits,
    trust: Arc<Trust>,
}

impl Client {
    /// A client that goes where the guard lets it.
    #[must_use]
    pub fn new(guard: Guard, limits: Limits) -> Self {
        Self::trusting(guard, limits, Vec::new())
    }

    /// The same that trusts further authorities beside those of the system.
    #[must_use]
    pub fn trusting(guard: Guard, limits: Limits, authorities: Vec<CertificateDer<'static>>) -> Self {
        Self {
            guard,
            limits,
            trust: Arc::new(Trust::new(authorities)),
        }
    }

    /// Sends a request and reads the answer to its end, whatever its status.
    ///
    /// # Errors
    /// When there is no whole answer, or we do not go where it leads.
    pub async fn send(&self, request: Request) -> Result<Answer, Fault> {
        let place = Url::parse(&request.url).map_or_else(|_| "The remote".to_owned(), |u| shown(&u));
        self.in_time(&place, self.follow(request, true))
            .await
            .map(|(answer, _)| answer)
    }

    /// Where a question is answered after all redirects, and whether credentials may go there; the body is not read.
    ///
    /// # Errors
    /// As `send`.
    pub async fn settle(&self, request: Request) -> Result<(Url, bool), Fault> {
        let had = !request.credentials.is_empty();
        let place = Url::parse(&request.url).map_or_else(|_| "The remote".to_owned(), |u| shown(&u));
        let (answer, left) = self.in_time(&place, self.follow(request, false)).await?;
        Ok((answer.url, had && !left.credentials.is_empty()))
    }

    async fn in_time<T>(&self, place: &str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let patience = self.limits.whole;
        match tokio::time::timeout(patience, work).await {
            Ok(done) => done,
            Err(_) => Err(Fault::new(
                FaultKind::TooSlow,
                format!("{place} did not answer whole within {}.", super::fault::Span(patience)),
            )),
        }
    }

    /// The answer after all redirects, and what is left of the request there.
    async fn follow(&self, mut request: Request, body: bool) -> Result<(Answer, Request), Fault> {
        let mut url = parsed(&request.url)?;
        for _ in 0..=REDIRECTS {
            let answer = self.exchange(&url, &request, body).await?;
            let Some(next) = target(&answer, &url)? else {
                return Ok((answer, request));
            };
            redirected(&mut request, &answer, &url, &next)?;
            url = next;
        }
        Err(Fault::new(
            FaultKind::BadAnswer,
            format!("{} redirects more than {REDIRECTS} times.", shown(&url)),
        ))
    }
}

/// Makes of a request the one to where it was redirected.
fn redirected(request: &mut Request, answer: &Answer, url: &Url, next: &Url) -> Result<(), Fault> {
    let refuse = |why: &str| {
        let sentence = format!("{} redirects to {}, {why}.", shown(url), shown(next));
        Err(Fault::new(FaultKind::Refused, sentence))
    };
    if url.scheme() == "https" && next.scheme() != "https" {
        return refuse("which has no TLS");
    }
    let same = url.origin() == next.origin();
    if !same {
        request.credentials.clear();
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        // What was meant for one is not told to another, and not turned into a question.
        let keeps = matches!(
            answer.status,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        if !same || !keeps {
            return refuse("where what was to be told is not sent; use that address");
        }
    }
    Ok(())
}

/// Where an answer redirects to.
fn target(answer: &Answer, from: &Url) -> Result<Option<Url>, Fault> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let bad = || {
        let sentence = format!("{} redirects to an address that cannot be read.", shown(from));
        Fault::new(FaultKind::BadAnswer, sentence)
    };
    let location = answer.headers.get(header::LOCATION).ok_or_else(bad)?;
    let location = location.to_str().map_err(|_| bad())?;
    if location.len() > URL_MAX {
        return Err(bad());
    }
    let next = from.join(location).map_err(|_| bad())?;
    checked(next).map(Some)
}

fn parsed(text: &str) -> Result<Url, Fault> {
    let refuse = |why: &str| {
        Err(Fault::new(
            FaultKind::Refused,
            format!("The address was refused: {why}."),
        ))
    };
    if text.len() > URL_MAX {
        return refuse(&format!("it is longer than {URL_MAX} bytes"));
    }
    match Url::parse(text) {
        Ok(url) => checked(url),
        Err(e) => refuse(&format!("it is no URL as https://example.org/path ({e})")),
    }
}

/// An address that we could go to.
fn checked(url: Url) -> Result<Url, Fault> {
    let refuse = |why: String| {
        Err(Fault::new(
            FaultKind::Refused,
            format!("The address was refused: {why}."),
        ))
    };
    if !matches!(url.scheme(), "https" | "http") {
        return refuse(format!(
            "`{}://` is no address for requests, use https://",
            url.scheme()
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return refuse("it names no host".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("keep user names, passwords and tokens out of it; they go into a secret".into());
    }
    Ok(url)
}

/// A URL for sentences: without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
