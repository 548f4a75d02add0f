//! Refuses what another site makes a browser send (reliability S13, S14).
//!
//! **Invariant:** a state change or socket upgrade that carries a session cookie passes only if the browser says that it
//! comes from a page of ours; a request with `Authorization` carries nothing a browser adds by itself, and is exempt.

use super::identify::has_session_cookie;
use crate::web::refusal::Refusal;
use crate::web::site::Web;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Lets a request pass, or answers 403.
pub async fn check(State(web): State<Web>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let upgrade = headers.contains_key(header::UPGRADE);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if headers.contains_key(header::AUTHORIZATION) || (reads && !upgrade) {
        return next.run(request).await;
    }
    let cookie = has_session_cookie(headers, web.site.cookies().name());
    if same_site(headers, web.site.origin(), upgrade).unwrap_or(!cookie) {
        return next.run(request).await;
    }
    let detail = "This request does not come from a page of this server. If a proxy stands in front, set `public_url` to the address people use.";
    Refusal::new(StatusCode::FORBIDDEN, detail).into_response()
}

/// Whether the browser says that a page of ours sent this; `None` when it says nothing.
fn same_site(headers: &HeaderMap, public_origin: &str, upgrade: bool) -> Option<bool> {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or(""));
    let origin = text("origin").map(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        // The Host a page was read under cannot be chosen by another site, so it serves where `public_url` is another
        // name of the same server (localhost for 127.0.0.1).
        origin.eq_ignore_ascii_case(public_origin) || host.is_some() && host == text("host")
    });
    // Browsers put an Origin on every upgrade; not all put Sec-Fetch-Site there.
    if upgrade {
        return origin;
    }
    match text("sec-fetch-site") {
        Some(site) => Some(matches!(site, "same-origin" | "none")),
        None => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_our_own_pages_pass() {
        let ours = "https://ci.example.org";
        for (pairs, upgrade, want) in [
            (vec![("sec-fetch-site", "same-origin")], false, Some(true)),
            (vec![("sec-fetch-site", "none")], false, Some(true)),
            (
                vec![("sec-fetch-site", "same-site"), ("origin", ours)],
                false,
                Some(false),
            ),
            (vec![("sec-fetch-site", "cross-site")], false, Some(false)),
            (vec![("origin", ours)], false, Some(true)),
            (vec![("origin", "https://evil.example")], false, Some(false)),
            (
                vec![("origin", "https://ci.example.org.evil.example")],
                false,
                Some(false),
            ),
            (vec![("origin", "http://ci.example.org")], false, Some(false)),
            (vec![("origin", "null")], false, Some(false)),
            (
                vec![("origin", "http://localhost:7420"), ("host", "localhost:7420")],
                false,
                Some(true),
            ),
            (
                vec![("origin", "http://sub.ci.example.org"), ("host", "ci.example.org")],
                true,
                Some(false),
            ),
            (vec![], false, None),
            (vec![("sec-fetch-site", "same-origin")], true, None),
            (vec![("origin", ours)], true, Some(true)),
            (vec![("origin", "null")], true, Some(false)),
        ] {
            let mut h = HeaderMap::new();
            for (k, v) in &pairs {
                h.insert(*k, HeaderValue::from_static(v));
            }
            assert_eq!(same_site(&h, ours, upgrade), want, "{pairs:?} upgrade={upgrade}");
        }
    }
}
