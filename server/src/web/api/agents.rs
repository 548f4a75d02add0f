//! Agents: what they are, what runs on them, and whether they take jobs.
//!
//! **Invariant:** a change names the version it was read at.

use super::Doors;
use super::answer::{Answer, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint};
use crate::web::body::{Fields, Id, Sent};
use crate::web::identity::Who;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use domain::AgentId;
use domain::agent::{AgentView, PatchAgent};
use domain::page::Page;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/agents", "All agents, by name.", list)
            .query([LIMIT, CURSOR])
            .lists::<AgentView>(),
        endpoint(Method::GET, "/agents/{id}", "One agent.", show).gives::<AgentView>(),
        endpoint(
            Method::PATCH,
            "/agents/{id}",
            "Pauses, resumes or drains an agent; 409 when `version` is stale.",
            patch,
        )
        .takes::<PatchAgent>()
        .gives::<AgentView>(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<AgentView>> {
    let all = web.ports.agents.list(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |a| a.id.0)?))
}

async fn show(State(web): Doors, Who(viewer): Who, Id(id): Id<AgentId>) -> Answer<AgentView> {
    Ok(Json(web.ports.agents.get(&viewer, id).await?))
}

async fn patch(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<AgentId>,
    Sent(patch): Sent<PatchAgent>,
) -> Answer<AgentView> {
    Ok(Json(web.ports.agents.patch(&viewer, id, patch).await?))
}
