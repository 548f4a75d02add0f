//! Security headers: the content policy with its nonce, and what else a browser should know.
//!
//! **Invariant:** every answer has a policy; a page's allows scripts and style elements by this answer's nonce alone, and
//! no answer of ours may be framed.

use crate::web::refusal::Refusal;
use crate::web::site::Web;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use leptos::nonce::Nonce;

/// What carries no markup of ours needs nothing.
const CLOSED: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox";
/// Most bytes of request headers.
const MOST: usize = 16 * 1024;

/// Sets what every answer has unless its handler said otherwise.
pub async fn secure(State(web): State<Web>, request: Request, next: Next) -> Response {
    let size: usize = request
        .headers()
        .iter()
        .map(|(k, v)| k.as_str().len() + v.len() + 4)
        .sum();
    let mut response = if size + request.uri().path().len() > MOST {
        let detail = "The request's head is too large: at most 16 KiB.";
        Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let https = web
        .site
        .secure()
        .then_some((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CONTENT_SECURITY_POLICY, CLOSED),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed.into_iter().chain(https) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Gives a page its nonce, for the rendering and for the header.
pub async fn page(mut request: Request, next: Next) -> Response {
    let nonce = Nonce::new();
    request.extensions_mut().insert(nonce.clone());
    let mut response = next.run(request).await;
    set_page_policy(response.headers_mut(), &nonce);
    response
}

/// The policy of a page with this nonce (DESIGN §10).
fn set_page_policy(headers: &mut HeaderMap, nonce: &Nonce) {
    let policy = format!(
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; style-src-attr 'none'; img-src 'self' data:; connect-src 'self'; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(value) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
}
