//! What a request brings with it and what an answer takes along, on the server.
//!
//! **Invariant:** `Visit` is provided by the server for every request; nothing here outlives it.

use crate::address::{escape, local_path};
use crate::error::{Error, Result};
use axum::http::header::{ACCEPT, COOKIE, REFERER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use domain::Timestamp;
use domain::auth::Viewer;
use domain::ports::{Client, NewSession, Ports};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// One request of a browser: provide it in the context of every page and server function.
#[derive(Clone)]
pub struct Visit {
    /// Every port.
    pub ports: Ports,
    /// Who asks; `None` when nobody is signed in.
    pub viewer: Option<Viewer>,
    /// The session cookie's value, for signing out.
    pub session: Option<String>,
    /// Where the request comes from.
    pub client: Client,
    /// How session cookies are written.
    pub cookies: CookiePolicy,
    /// Whether people reach the server over plain http from other machines; the frame warns of it.
    pub plain_http: bool,
    /// The address people use, as `https://ci.example.org`.
    pub public_url: String,
    /// The server's time at which the request came in.
    pub now: Timestamp,
}

/// How session cookies are named and guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CookiePolicy {
    /// Whether the public address is https.
    pub secure: bool,
}

impl CookiePolicy {
    /// The cookie's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.secure { "__Host-caracal" } else { "caracal" }
    }

    /// `Set-Cookie` for a new session.
    #[must_use]
    pub fn issue(self, session: &NewSession) -> String {
        self.write(&session.secret, session.max_age)
    }

    /// `Set-Cookie` that takes the session back.
    #[must_use]
    pub fn withdraw(self) -> String {
        self.write("", 0)
    }

    fn write(self, value: &str, max_age: i64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}",
            self.name()
        )
    }
}

/// The request's visit.
///
/// # Errors
/// `Unavailable` when the server forgot to provide it.
pub fn visit() -> Result<Visit> {
    use_context::<Visit>().ok_or_else(|| {
        Error::Domain(domain::Error::Unavailable(
            "The server is not ready to answer yet.".into(),
        ))
    })
}

/// Every port.
///
/// # Errors
/// As `visit`.
pub fn ports() -> Result<Ports> {
    Ok(visit()?.ports)
}

/// Who asks. When nobody is signed in, the answer also leads to the sign-in page and back.
///
/// # Errors
/// `Unauthenticated` when nobody is signed in.
pub fn viewer() -> Result<Viewer> {
    visit()?.viewer.ok_or_else(|| {
        leptos_axum::redirect(&format!("/login?next={}", escape(&whence())));
        Error::Domain(domain::Error::Unauthenticated)
    })
}

/// Path and query of the page this request is made for: its own, or for a server function that of its referrer.
#[must_use]
pub fn whence() -> String {
    let Some(parts) = use_context::<Parts>() else {
        return "/".into();
    };
    if !parts.uri.path().starts_with("/ui/") {
        return parts
            .uri
            .path_and_query()
            .map_or_else(|| "/".into(), ToString::to_string);
    }
    let referer = parts
        .headers
        .get(REFERER)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let path = referer
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|i| &rest[i..]));
    local_path(path.unwrap_or("/")).to_owned()
}

/// The value of a cookie of this request.
#[must_use]
pub fn cookie(name: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| {
            let (k, v) = pair.trim().split_once('=')?;
            (k == name).then(|| v.to_owned())
        })
}

/// Adds a `Set-Cookie` to the answer.
pub fn set_cookie(cookie: &str) {
    if let (Some(answer), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
        answer.append_header(SET_COOKIE, value);
    }
}

/// Sets the status code of the page that is being rendered.
pub fn set_status(status: u16) {
    if let (Some(answer), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        answer.set_status(status);
    }
}

/// Whether the answer is for a browser that shows it as it comes: a page, or a form posted without a script.
#[must_use]
pub fn wants_html() -> bool {
    use_context::<Parts>().is_some_and(|p| {
        p.headers
            .get(ACCEPT)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|a| a.contains("text/html"))
    })
}

impl Error {
    /// Turns a refusal of a port into that of a server function, with its status code. A form posted without a script
    /// keeps its redirect back to the page; a page that is being rendered takes its status from `ErrorView`.
    #[must_use]
    pub fn respond(e: domain::Error) -> Self {
        if !wants_html() {
            set_status(e.status());
        }
        Self::Domain(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secure_address_gets_a_host_cookie() {
        let s = NewSession {
            secret: "s3".into(),
            max_age: 60,
            user: domain::UserId(1),
        };
        let https = CookiePolicy { secure: true }.issue(&s);
        assert_eq!(
            https,
            "__Host-caracal=s3; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert_eq!(
            CookiePolicy { secure: false }.withdraw(),
            "caracal=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }
}
