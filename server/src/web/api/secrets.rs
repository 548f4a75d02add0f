//! Secrets, without their values.
//!
//! **Invariant:** a value is in requests alone.

use super::Doors;
use super::answer::{Answer, Made, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint};
use crate::web::body::{Fields, Id, Sent};
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use domain::SecretId;
use domain::page::Page;
use domain::secret::{KeyRotation, NewSecret, SecretUser, SecretView, SetSecret};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(
            Method::GET,
            "/secrets",
            "Secrets of the project and its plans, newest first; never a value.",
            list,
        )
        .query([LIMIT, CURSOR])
        .lists::<SecretView>(),
        endpoint(
            Method::POST,
            "/secrets",
            "Makes a secret. Its value is never shown again.",
            create,
        )
        .takes::<NewSecret>()
        .gives::<SecretView>()
        .creates(Makes::Thing),
        endpoint(Method::GET, "/secrets/{id}", "One secret, without its value.", get).gives::<SecretView>(),
        endpoint(Method::PUT, "/secrets/{id}", "Sets a secret anew.", set)
            .takes::<SetSecret>()
            .gives::<SecretView>(),
        endpoint(
            Method::GET,
            "/secrets/{id}/users",
            "What uses a secret: repositories that it opens, hooks whose deliveries are judged by it.",
            users,
        )
        .lists::<SecretUser>(),
        endpoint(Method::DELETE, "/secrets/{id}", "Removes a secret.", delete).nothing(),
        endpoint(
            Method::POST,
            "/secrets/rotate-key",
            "Makes a new master key and puts every secret under it.",
            rotate_key,
        )
        .gives::<KeyRotation>(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<SecretView>> {
    let mut all = web.ports.secrets.list(&viewer).await?;
    all.sort_by_key(|s| std::cmp::Reverse(s.id));
    Ok(Json(window(all, &fields.page()?, |s| s.id.0)?))
}

async fn create(State(web): Doors, Who(viewer): Who, Sent(wish): Sent<NewSecret>) -> Result<Made<SecretView>, Refusal> {
    let secret = web.ports.secrets.create(&viewer, wish).await?;
    Ok(Made(format!("/api/v1/secrets/{}", secret.id), secret))
}

async fn get(State(web): Doors, Who(viewer): Who, Id(id): Id<SecretId>) -> Answer<SecretView> {
    Ok(Json(web.ports.secrets.get(&viewer, id).await?))
}

async fn set(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<SecretId>,
    Sent(wish): Sent<SetSecret>,
) -> Answer<SecretView> {
    Ok(Json(web.ports.secrets.set(&viewer, id, wish).await?))
}

async fn users(State(web): Doors, Who(viewer): Who, Id(id): Id<SecretId>) -> Answer<Page<SecretUser>> {
    let items = web.ports.secrets.users(&viewer, id).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

async fn delete(State(web): Doors, Who(viewer): Who, Id(id): Id<SecretId>) -> Result<StatusCode, Refusal> {
    web.ports.secrets.delete(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate_key(State(web): Doors, Who(viewer): Who) -> Answer<KeyRotation> {
    Ok(Json(web.ports.secrets.rotate_key(&viewer).await?))
}
