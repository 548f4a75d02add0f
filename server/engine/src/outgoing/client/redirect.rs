//! Where a request may go, first and after a redirect.
//!
//! **Invariant:** TLS is not given up on the way, credentials and what is told do not get to another origin.

use super::{Answer, Request};
use crate::outgoing::{Fault, FaultKind};
use http::{Method, StatusCode, header};
use url::Url;

/// Longest URL taken, in bytes.
const URL_MAX: usize = 4_000;

/// Makes of a request the one to where it was redirected.
pub(super) fn redirected(request: &mut Request, answer: &Answer, url: &Url, next: &Url) -> Result<(), Fault> {
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
pub(super) fn target(answer: &Answer, from: &Url) -> Result<Option<Url>, Fault> {
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

pub(super) fn parsed(text: &str) -> Result<Url, Fault> {
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
