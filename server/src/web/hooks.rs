//! What others deliver: `POST /hooks/{token}`.
//!
//! **Invariant:** no cookie or token is read: a delivery proves itself by its signature, and one that does not is answered
//! like one to an address that is none.

use super::body::too_large;
use super::middleware::identify::origin_of;
use super::refusal::Refusal;
use super::site::Web;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::Error;
use domain::trigger::{FiringView, Verdict};
use engine::triggers::intake::{Answer, Intake, Sent};
use serde::Serialize;
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The address of all hooks. Which proxies are believed when they say where a delivery comes from is told.
pub fn router(intake: Intake, trusted_proxies: &[IpAddr]) -> Router<Web> {
    let take = post(take).fallback(wrong_method);
    Router::new().route("/hooks/{token}", take.with_state((intake, Arc::from(trusted_proxies))))
}

/// A firing, for the sender: its page shows it beside the delivery.
#[derive(Serialize)]
struct Said {
    firing: i64,
    trigger: String,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    tasks: Vec<i64>,
}

impl From<FiringView> for Said {
    fn from(f: FiringView) -> Self {
        Self {
            firing: f.id.0,
            trigger: f.trigger,
            verdict: f.verdict,
            reason: f.reason,
            tasks: f.tasks.into_iter().map(|t| t.id.0).collect(),
        }
    }
}

async fn take(
    State((intake, trusted)): State<(Intake, Arc<[IpAddr]>)>,
    Path(token): Path<String>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => return too_large().into_response(),
        Err(_) => {
            return Refusal::from(Error::Malformed("The body could not be read to its end.".into())).into_response();
        }
    };
    let named = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let sent = Sent {
        token: &token,
        sender: origin_of(peer.map(|Extension(c)| c.0.ip()), &headers, &trusted),
        headers: headers.iter().filter_map(named).collect(),
        body: &body,
    };
    match intake.take(sent).await {
        Ok(answer) => answered(answer),
        Err(e) => Refusal::from(e.public()).into_response(),
    }
}

fn answered(answer: Answer) -> Response {
    match answer {
        Answer::Taken { new, firings } => {
            let status = if new { StatusCode::ACCEPTED } else { StatusCode::OK };
            let firings: Vec<Said> = firings.into_iter().map(Said::from).collect();
            (status, Json(json!({ "repeated": !new, "firings": firings }))).into_response()
        }
        Answer::Unknown => Refusal::no_path().into_response(),
        Answer::Malformed(why) => Refusal::from(Error::Malformed(why)).into_response(),
        Answer::TooMany { retry_after } => {
            let why = format!("Too many deliveries at once. Send this one again in {retry_after} s.");
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, why)
                .with(header::RETRY_AFTER, &retry_after.to_string())
                .into_response()
        }
        Answer::NoRoom(why) => Refusal::from(Error::Unavailable(why))
            .with(header::RETRY_AFTER, "60")
            .into_response(),
    }
}

async fn wrong_method() -> Response {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Deliveries are sent with POST.")
        .with(header::ALLOW, "POST")
        .into_response()
}
