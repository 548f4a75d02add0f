//! `/healthz`, `/readyz` and the plan schema: open to everybody, for supervisors and editors.
//!
//! **Invariant:** alive costs nothing and asks nobody; ready writes to the database.

use super::refusal::Refusal;
use super::site::Web;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The routes.
pub fn router() -> Router<Web> {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/schema/plan.json", get(schema))
}

async fn ready(State(web): State<Web>) -> Response {
    match web.site.readiness.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

async fn schema() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/schema+json"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, domain::plan::document::SCHEMA).into_response()
}
