//! The key of a plan's badge; the badge itself is at `/plans/{id}/badge.svg`.
//!
//! **Invariant:** a key is shown to those who may make one.

use super::Doors;
use super::answer::{Answer, Made};
use super::endpoint::{Endpoint, endpoint};
use crate::web::body::Id;
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use domain::badge::BadgeKey;
use domain::{Error, PlanId};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(
            Method::GET,
            "/plans/{id}/badge",
            "The key that shows a plan's badge to those who are not signed in; 404 without one.",
            get,
        )
        .gives::<BadgeKey>(),
        endpoint(
            Method::POST,
            "/plans/{id}/badge",
            "Makes a key of a plan's badge; the one before it shows nothing any more.",
            make,
        )
        .gives::<BadgeKey>()
        .creates(Makes::Secret),
        endpoint(
            Method::DELETE,
            "/plans/{id}/badge",
            "Removes the key of a plan's badge: only those who may read the plan see the badge then.",
            remove,
        )
        .nothing(),
    ]
}

async fn get(State(web): Doors, Who(viewer): Who, Id(id): Id<PlanId>) -> Answer<BadgeKey> {
    let key = web.ports.badges.key(&viewer, id).await?;
    Ok(Json(key.ok_or_else(|| {
        Error::NotFound(format!("A key of the badge of plan {id}"))
    })?))
}

async fn make(State(web): Doors, Who(viewer): Who, Id(id): Id<PlanId>) -> Result<Made<BadgeKey>, Refusal> {
    let key = web.ports.badges.make(&viewer, id).await?;
    Ok(Made(format!("/api/v1/plans/{id}/badge"), key))
}

async fn remove(State(web): Doors, Who(viewer): Who, Id(id): Id<PlanId>) -> Result<StatusCode, Refusal> {
    web.ports.badges.remove(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
