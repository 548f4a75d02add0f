//! `Idempotency-Key`: a creating POST that is sent again is answered as the first time.
//!
//! **Invariant:** one key makes one thing. The handler runs to its end even if the caller goes away, and an answer with a
//! secret that is shown once is never kept.

use crate::web::identity::Identity;
use crate::web::refusal::Refusal;
use crate::web::site::Web;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Error;
use domain::auth::Viewer;
use domain::ports::{Replay, ReplayKey};
use http_body_util::BodyExt as _;
use sha2::{Digest, Sha256};

/// The largest answer worth keeping.
const LARGEST: usize = 256 * 1024;

/// What a creating endpoint makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// Something its answer shows.
    Thing,
    /// Something with a secret that is shown once.
    Secret,
}

/// Runs a creating POST at most once per key of the viewer.
pub async fn once(State((web, makes)): State<(Web, Makes)>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get("idempotency-key").cloned() else {
        return next.run(request).await;
    };
    // Without a viewer the handler refuses anyway.
    let Some(viewer) = request.extensions().get::<Identity>().and_then(|i| i.viewer.clone()) else {
        return next.run(request).await;
    };
    begin(web, makes, key, viewer, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn begin(
    web: Web,
    makes: Makes,
    key: HeaderValue,
    viewer: Viewer,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let text = key.to_str().ok().filter(|k| (1..=255).contains(&k.len()));
    let text = text.ok_or_else(|| Error::Malformed("`Idempotency-Key` is 1 to 255 printable characters.".into()))?;
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, crate::web::BODY_LIMIT)
        .await
        .map_err(|_| crate::web::body::too_large())?;
    let body_hash = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let path = format!("{} {}", parts.method, parts.uri.path());
    let key = ReplayKey {
        key: text.to_owned(),
        path,
        body_hash,
    };
    match web.ports.access.replay(&viewer, &key).await? {
        Replay::New => {}
        Replay::Other => {
            let why = "This `Idempotency-Key` came with another request before. Use a new key for a new request.";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
        Replay::Open => {
            return Err(Error::Conflict(
                "The first request with this `Idempotency-Key` has not ended. Ask again later; should it never end, look whether it took effect and use a new key.".into(),
            )
            .into());
        }
        Replay::Answered { answer: None, .. } => {
            return Err(Error::Conflict(
                "The first request with this `Idempotency-Key` took effect; its secret was shown once and is not kept. Revoke it and use a new key.".into(),
            )
            .into());
        }
        Replay::Answered {
            status,
            answer: Some(answer),
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            return Ok((status, [(header::CONTENT_TYPE, "application/json"), REPLAYED], answer).into_response());
        }
    }
    let request = Request::from_parts(parts, Body::from(bytes));
    // A task of its own: a caller that goes away must not leave the key open.
    let run = tokio::spawn(async move {
        let (response, kept) = keep(next.run(request).await, makes).await;
        if let Err(e) = web.ports.access.replayed(&viewer, &key, kept).await {
            tracing::warn!(error = %e, "The answer of an idempotent request was not kept: {e}");
        }
        response
    });
    run.await.map_err(|e| match e.try_into_panic() {
        // A fault is told as everywhere else; the key stays taken, for nobody knows how far the handler came.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Unavailable("The server is stopping. Try again in a moment.".into()).into(),
    })
}

const REPLAYED: (header::HeaderName, &str) = (header::HeaderName::from_static("idempotency-replayed"), "true");

/// What is worth keeping of an answer: of a success its body, of a refusal nothing.
async fn keep(response: Response, makes: Makes) -> (Response, Option<(u16, Option<String>)>) {
    if !response.status().is_success() {
        return (response, None);
    }
    let status = response.status().as_u16();
    if makes == Makes::Secret {
        return (response, Some((status, None)));
    }
    let (parts, body) = response.into_parts();
    let bytes: Bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let text = std::str::from_utf8(&bytes)
        .ok()
        .filter(|t| t.len() <= LARGEST)
        .map(str::to_owned);
    (Response::from_parts(parts, Body::from(bytes)), Some((status, text)))
}
