//! `/plans/{id}/badge.svg`: how a plan fares, for pages of others.
//!
//! **Invariant:** who is not signed in and has no key, or a wrong one, gets the answer of a plan that does not exist.

use super::body::Fields;
use super::identity::Identity;
use super::middleware::identify;
use super::refusal::Refusal;
use super::site::Web;
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::badge::draw;
use domain::{Error, PlanId};
use sha2::{Digest, Sha256};

/// The route.
pub fn router(web: &Web) -> Router<Web> {
    let badge = get(badge).fallback(wrong_method);
    Router::new()
        .route("/plans/{id}/badge.svg", badge)
        .layer(from_fn_with_state(web.clone(), identify::identify))
}

async fn badge(
    State(web): State<Web>,
    Extension(who): Extension<Identity>,
    Path(id): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Refusal> {
    let shown: String = id.chars().take(40).collect();
    let plan = id
        .parse::<PlanId>()
        .ok()
        .filter(|_| id.bytes().all(|b| b.is_ascii_digit()));
    let plan = plan.ok_or_else(|| Error::NotFound(format!("Plan {shown}")))?;
    let branch = fields.one("branch").map(str::to_owned);
    let seen = web
        .ports
        .badges
        .look(who.viewer.as_ref(), fields.one("key"), plan, branch)
        .await?;
    let picture = draw(&seen.badge);
    let tag = Sha256::digest(picture.as_bytes())
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect::<String>();
    let tag = format!("\"{tag}\"");
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|v| matches!(v.trim(), "*") || v.trim().trim_start_matches("W/") == tag);
    // What the key shows may be embedded anywhere, and kept by anybody who asks again before it is shown.
    let (whose, where_to) = match seen.by_key {
        true => ("no-cache", "cross-origin"),
        false => ("private, no-cache", "same-origin"),
    };
    let common = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, whose),
        (HeaderName::from_static("cross-origin-resource-policy"), where_to),
        (header::VARY, "Authorization, Cookie"),
    ];
    let common = common.map(|(name, value)| (name, value.to_owned()));
    if known {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Ok((common, [(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

async fn wrong_method() -> Response {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "A badge is looked at with GET.")
        .with(header::ALLOW, "GET,HEAD")
        .into_response()
}
