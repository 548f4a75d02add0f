//! Finds the viewer of a request: a Bearer token, else the session cookie.
//!
//! **Invariant:** a wrong or ended token never falls back to the cookie, and `X-Forwarded-For` counts only from a proxy
//! that the configuration names.

use crate::web::identity::{Credential, Identity};
use crate::web::refusal::Refusal;
use crate::web::site::Web;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::ports::Client;
use std::net::{IpAddr, SocketAddr};

/// Puts an [`Identity`] into the request.
pub async fn identify(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    // The local socket brings its own identity.
    if request.extensions().get::<Identity>().is_some() {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let headers = request.headers();
    let client = Client {
        ip: origin_of(peer, headers, &web.site.trusted_proxies),
        user_agent: text(headers, header::USER_AGENT).unwrap_or_default().to_owned(),
    };
    let access = &web.ports.access;
    let (credential, found) = if headers.contains_key(header::AUTHORIZATION) {
        match bearer(headers) {
            Some(token) => (Credential::Token(token.to_owned()), access.by_token(token).await),
            None => (Credential::None, Ok(None)),
        }
    } else {
        match cookie(headers, web.site.cookies().name()) {
            Some(secret) => (Credential::Session(secret.to_owned()), access.by_session(secret).await),
            None => (Credential::None, Ok(None)),
        }
    };
    match found {
        Ok(viewer) => {
            request.extensions_mut().insert(Identity {
                viewer,
                credential,
                client,
            });
            next.run(request).await
        }
        Err(e) => Refusal::from(e).into_response(),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The token of the one `Authorization: Bearer …` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = all.next()?.to_str().ok()?.split_once(' ')?;
    (all.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

/// A cookie's value; with two of one name nobody can say whose it is, so neither counts.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(k, v)| *k == name && !v.is_empty());
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// Whether a request carries a session cookie at all, read or not.
pub fn has_session_cookie(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .any(|pair| {
            pair.trim()
                .split_once('=')
                .is_some_and(|(k, v)| k == name && !v.is_empty())
        })
}

/// The address a request comes from: the peer, or what the trusted proxies in front say, read from the right.
pub fn origin_of(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> String {
    let Some(mut at) = peer.map(|p| p.to_canonical()) else {
        return "local".into();
    };
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','));
    let hops: Vec<Option<IpAddr>> = forwarded
        .map(|h| h.trim().parse::<IpAddr>().ok().map(|ip| ip.to_canonical()))
        .collect();
    for hop in hops.into_iter().rev() {
        if !trusted.contains(&at) {
            break;
        }
        let Some(hop) = hop else { break };
        at = hop;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut h = HeaderMap::new();
        for (k, v) in pairs {
            h.append(*k, HeaderValue::from_static(v));
        }
        h
    }

    #[test]
    fn a_proxy_is_believed_only_when_it_is_named() {
        let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
        for (peer, xff, trusted, want) in [
            ("192.0.2.7", "1.2.3.4", vec![], "192.0.2.7"),
            ("10.0.0.1", "1.2.3.4", vec![proxy], "1.2.3.4"),
            ("10.0.0.1", "6.6.6.6, 1.2.3.4", vec![proxy], "1.2.3.4"),
            ("10.0.0.1", "6.6.6.6, 10.0.0.1", vec![proxy], "6.6.6.6"),
            ("10.0.0.1", "rubbish", vec![proxy], "10.0.0.1"),
            ("::ffff:10.0.0.1", "1.2.3.4", vec![proxy], "1.2.3.4"),
        ] {
            let h = headers(&[("x-forwarded-for", xff)]);
            assert_eq!(origin_of(peer.parse().ok(), &h, &trusted), want, "{peer} {xff}");
        }
    }

    #[test]
    fn credentials_are_read_strictly() {
        assert_eq!(bearer(&headers(&[("authorization", "Bearer abc")])), Some("abc"));
        assert_eq!(bearer(&headers(&[("authorization", "bearer abc")])), Some("abc"));
        for h in ["Basic abc", "Bearer", "abc"] {
            assert_eq!(bearer(&headers(&[("authorization", h)])), None, "{h}");
        }
        assert_eq!(
            bearer(&headers(&[
                ("authorization", "Bearer a"),
                ("authorization", "Bearer b")
            ])),
            None
        );
        assert_eq!(
            cookie(&headers(&[("cookie", "a=1; caracal=s; b=2")]), "caracal"),
            Some("s")
        );
        assert_eq!(cookie(&headers(&[("cookie", "caracal=s; caracal=t")]), "caracal"), None);
        assert_eq!(cookie(&headers(&[("cookie", "xcaracal=s")]), "caracal"), None);
    }
}
