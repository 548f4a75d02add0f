//! Requests and answers as they are handed over.
//!
//! **Invariant:** credentials stand apart from the other headers, and are shown nowhere.

use super::redirect::shown;
use crate::outgoing::{Fault, FaultKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::fmt;
use url::Url;

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
