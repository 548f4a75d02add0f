//! Repositories: where sources are, and how they are.
//!
//! **Invariant:** what opens one is in requests alone.

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
use domain::forge::SentStatus;
use domain::page::Page;
use domain::repository::{Connection, NewRepository, PutRepository, RepositoryUser, RepositoryView};
use domain::{RepositoryId, TaskId};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/repositories", "Repositories, newest first.", list)
            .query([LIMIT, CURSOR])
            .lists::<RepositoryView>(),
        endpoint(
            Method::POST,
            "/repositories",
            "Makes a repository; what opens it is kept as a secret.",
            create,
        )
        .takes::<NewRepository>()
        .gives::<RepositoryView>()
        .creates(Makes::Thing),
        endpoint(
            Method::GET,
            "/repositories/{id}",
            "One repository, with its health.",
            get,
        )
        .gives::<RepositoryView>(),
        endpoint(
            Method::PUT,
            "/repositories/{id}",
            "Saves a repository; 409 when `version` is stale.",
            save,
        )
        .takes::<PutRepository>()
        .gives::<RepositoryView>(),
        endpoint(
            Method::POST,
            "/repositories/{id}/test",
            "Asks the repository for its branches and tags, and keeps how it is.",
            test,
        )
        .gives::<Connection>(),
        endpoint(
            Method::GET,
            "/repositories/{id}/users",
            "What has to do with it: triggers that look at it, plans whose source it is, hooks that are delivered to for it.",
            users,
        )
        .lists::<RepositoryUser>(),
        endpoint(
            Method::GET,
            "/repositories/{id}/statuses",
            "The commit statuses that its forge was told last, or is to be, newest first, at most 50.",
            statuses,
        )
        .query([LIMIT, CURSOR])
        .lists::<SentStatus>(),
        endpoint(
            Method::GET,
            "/tasks/{id}/statuses",
            "The commit statuses that forges were told of a task, or are to be, newest first.",
            statuses_of,
        )
        .query([LIMIT, CURSOR])
        .lists::<SentStatus>(),
        endpoint(
            Method::DELETE,
            "/repositories/{id}",
            "Removes a repository; 409 while something uses it.",
            delete,
        )
        .nothing(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<RepositoryView>> {
    let all = web.ports.repositories.list(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |r| r.id.0)?))
}

async fn create(
    State(web): Doors,
    Who(viewer): Who,
    Sent(wish): Sent<NewRepository>,
) -> Result<Made<RepositoryView>, Refusal> {
    let made = web.ports.repositories.create(&viewer, wish).await?;
    Ok(Made(format!("/api/v1/repositories/{}", made.id), made))
}

async fn get(State(web): Doors, Who(viewer): Who, Id(id): Id<RepositoryId>) -> Answer<RepositoryView> {
    Ok(Json(web.ports.repositories.get(&viewer, id).await?))
}

async fn save(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<RepositoryId>,
    Sent(wish): Sent<PutRepository>,
) -> Answer<RepositoryView> {
    Ok(Json(web.ports.repositories.save(&viewer, id, wish).await?))
}

async fn test(State(web): Doors, Who(viewer): Who, Id(id): Id<RepositoryId>) -> Answer<Connection> {
    Ok(Json(web.ports.repositories.test(&viewer, id).await?))
}

async fn users(State(web): Doors, Who(viewer): Who, Id(id): Id<RepositoryId>) -> Answer<Page<RepositoryUser>> {
    let items = web.ports.repositories.users(&viewer, Some(id)).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

async fn statuses(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<RepositoryId>,
    fields: Fields,
) -> Answer<Page<SentStatus>> {
    let all = web.ports.repositories.statuses(&viewer, id).await?;
    Ok(Json(window(all, &fields.page()?, |s| s.id)?))
}

async fn statuses_of(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<TaskId>,
    fields: Fields,
) -> Answer<Page<SentStatus>> {
    let all = web.ports.repositories.statuses_of(&viewer, id).await?;
    Ok(Json(window(all, &fields.page()?, |s| s.id)?))
}

async fn delete(State(web): Doors, Who(viewer): Who, Id(id): Id<RepositoryId>) -> Result<StatusCode, Refusal> {
    web.ports.repositories.delete(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
