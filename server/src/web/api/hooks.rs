//! Hooks: addresses to which others deliver.
//!
//! **Invariant:** a secret is in requests and in the one answer that makes it.

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
use domain::HookId;
use domain::page::Page;
use domain::trigger::{DeliveryView, HookView, NewHook, PutHook, ReceivedView};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/hooks", "Hooks, newest first.", list)
            .query([LIMIT, CURSOR])
            .lists::<HookView>(),
        endpoint(
            Method::POST,
            "/hooks",
            "Makes a hook. A secret that is made for it is in this answer alone.",
            create,
        )
        .takes::<NewHook>()
        .gives::<HookView>()
        .creates(Makes::Secret),
        endpoint(Method::GET, "/hooks/{id}", "One hook, with what it refused last.", get).gives::<HookView>(),
        endpoint(
            Method::PUT,
            "/hooks/{id}",
            "Saves a hook, or gives it another secret: the old one is believed too until `forget_old`.",
            save,
        )
        .takes::<PutHook>()
        .gives::<HookView>(),
        endpoint(
            Method::GET,
            "/hooks/{id}/deliveries",
            "What it took last, newest first, at most 50; secrets in the payloads are taken out.",
            deliveries,
        )
        .query([LIMIT, CURSOR])
        .lists::<DeliveryView>(),
        endpoint(
            Method::GET,
            "/hooks/{id}/received",
            "What it took last without the payloads, with what came of each, newest first, at most 50.",
            received,
        )
        .query([LIMIT, CURSOR])
        .lists::<ReceivedView>(),
        endpoint(
            Method::DELETE,
            "/hooks/{id}",
            "Removes a hook; 409 while triggers listen to it.",
            delete,
        )
        .nothing(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<HookView>> {
    let all = web.ports.hooks.list(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |h| h.id.0)?))
}

async fn create(State(web): Doors, Who(viewer): Who, Sent(wish): Sent<NewHook>) -> Result<Made<HookView>, Refusal> {
    let hook = web.ports.hooks.create(&viewer, wish).await?;
    Ok(Made(format!("/api/v1/hooks/{}", hook.id), hook))
}

async fn get(State(web): Doors, Who(viewer): Who, Id(id): Id<HookId>) -> Answer<HookView> {
    Ok(Json(web.ports.hooks.get(&viewer, id).await?))
}

async fn save(State(web): Doors, Who(viewer): Who, Id(id): Id<HookId>, Sent(wish): Sent<PutHook>) -> Answer<HookView> {
    Ok(Json(web.ports.hooks.save(&viewer, id, wish).await?))
}

async fn deliveries(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<HookId>,
    fields: Fields,
) -> Answer<Page<DeliveryView>> {
    let all = web.ports.hooks.deliveries(&viewer, id).await?;
    Ok(Json(window(all, &fields.page()?, |d| d.id.0)?))
}

async fn received(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<HookId>,
    fields: Fields,
) -> Answer<Page<ReceivedView>> {
    let all = web.ports.hooks.received(&viewer, id).await?;
    Ok(Json(window(all, &fields.page()?, |d| d.id.0)?))
}

async fn delete(State(web): Doors, Who(viewer): Who, Id(id): Id<HookId>) -> Result<StatusCode, Refusal> {
    web.ports.hooks.delete(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
