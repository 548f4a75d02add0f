//! Agents: what they are, what runs on them, whether they take jobs, and the tokens that register them.
//!
//! **Invariant:** a change names the version it was read at; a token's secret is in the one answer that makes it.

use super::Doors;
use super::answer::{Answer, Made, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint, field};
use crate::web::body::{Fields, Id, MaySend, Sent};
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use domain::agent::{AgentTokenView, AgentTokenWish, AgentView, NewAgentToken, PatchAgent};
use domain::event::Event;
use domain::page::Page;
use domain::{AgentId, AgentTokenId};

/// Events of one answer.
const EVENTS: u32 = 200;

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = vec![
        endpoint(Method::GET, "/agents", "All agents, by name.", list)
            .query([LIMIT, CURSOR])
            .lists::<AgentView>(),
        endpoint(Method::GET, "/agents/{id}", "One agent.", show).gives::<AgentView>(),
        endpoint(
            Method::PATCH,
            "/agents/{id}",
            "Pauses, resumes, drains, renames or labels an agent; 409 when `version` is stale.",
            patch,
        )
        .takes::<PatchAgent>()
        .gives::<AgentView>(),
        endpoint(
            Method::DELETE,
            "/agents/{id}",
            "Removes an agent and voids its credential; 409 while it runs something.",
            remove,
        )
        .query([field(
            "force",
            "`true`: remove it all the same; what runs there is lost.",
        )])
        .nothing(),
        endpoint(
            Method::GET,
            "/agents/{id}/events",
            "What became of its connection and who changed it, newest first, at most 200.",
            events,
        )
        .query([LIMIT, CURSOR])
        .lists::<Event>(),
    ];
    all.extend(token_endpoints());
    all
}

/// Those the command line needs too.
pub fn token_endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(
            Method::GET,
            "/agents/tokens",
            "Tokens that may still register agents, newest first.",
            tokens,
        )
        .query([LIMIT, CURSOR])
        .lists::<AgentTokenView>(),
        endpoint(
            Method::POST,
            "/agents/tokens",
            "Makes a token that registers agents; its secret is shown this once.",
            create,
        )
        .may_take::<AgentTokenWish>()
        .gives::<NewAgentToken>()
        .creates(Makes::Secret),
        endpoint(
            Method::GET,
            "/agents/tokens/{id}",
            "One token, with the agents it has registered.",
            token,
        )
        .gives::<AgentTokenView>(),
        endpoint(
            Method::DELETE,
            "/agents/tokens/{id}",
            "Revokes a token; agents it has registered stay.",
            revoke,
        )
        .nothing(),
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

async fn remove(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<AgentId>,
    fields: Fields,
) -> Result<StatusCode, Refusal> {
    web.ports.agents.remove(&viewer, id, fields.flag("force")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn events(State(web): Doors, Who(viewer): Who, Id(id): Id<AgentId>, fields: Fields) -> Answer<Page<Event>> {
    let all = web.ports.agents.events(&viewer, id, EVENTS).await?;
    Ok(Json(window(all, &fields.page()?, |e| e.seq)?))
}

async fn tokens(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<AgentTokenView>> {
    let all = web.ports.agents.tokens(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |t| t.id.0)?))
}

async fn token(State(web): Doors, Who(viewer): Who, Id(id): Id<AgentTokenId>) -> Answer<AgentTokenView> {
    Ok(Json(web.ports.agents.token(&viewer, id).await?))
}

async fn create(
    State(web): Doors,
    Who(viewer): Who,
    MaySend(wish): MaySend<AgentTokenWish>,
) -> Result<Made<NewAgentToken>, Refusal> {
    let made = web.ports.agents.create_token(&viewer, wish).await?;
    Ok(Made(format!("/api/v1/agents/tokens/{}", made.view.id), made))
}

async fn revoke(State(web): Doors, Who(viewer): Who, Id(id): Id<AgentTokenId>) -> Result<StatusCode, Refusal> {
    web.ports.agents.revoke_token(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
