//! One span and one id for each request.
//!
//! **Invariant:** query strings and headers are never traced: both may hold secrets.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;
use tracing::Instrument as _;

/// Names the request in tracing and in `X-Request-Id`.
pub async fn trace(request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let span = tracing::info_span!("request", id = %id, method = %request.method(), path = %request.uri().path());
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let _inside = span.enter();
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    tracing::debug!(status, ms, "Answered {status} in {ms} ms");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}
