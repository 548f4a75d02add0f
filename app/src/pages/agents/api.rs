//! Server functions of agents.
//!
//! **Invariant:** each gets the viewer, calls one port and returns.

use crate::error::Result;
use domain::agent::AgentView;
use domain::event::Event;
use domain::status::{Availability, Desired, TaskStatus};
use domain::task::Cause;
use domain::{AgentId, TaskId, Timestamp};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The page's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentsView {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// Every agent, by name.
    pub agents: Vec<AgentView>,
}

/// Every agent.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "agents/list", protocol = crate::wire::Get)]
pub async fn list_agents() -> Result<AgentsView> {
    use crate::context::{ports, viewer};
    let (ports, viewer) = (ports()?, viewer()?);
    // The number first: news that come between the two reads are then heard again, never missed.
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let agents = ports.agents.list(&viewer).await.map_err(crate::Error::respond)?;
    Ok(AgentsView {
        seq,
        now: crate::context::visit()?.now,
        agents,
    })
}

/// One agent's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentPage {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// The agent.
    pub agent: AgentView,
    /// What ran on it and runs, newest first.
    pub tasks: Vec<RanRow>,
    /// What became of it, newest first.
    pub events: Vec<Event>,
}

/// A task that ran on an agent, as far as a row shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RanRow {
    /// Its id.
    pub id: TaskId,
    /// The plan's name.
    pub plan: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// What is wanted of it.
    pub desired: Desired,
    /// Why it stands there.
    pub reason: Option<String>,
    /// The branch, if it has a source.
    pub branch: Option<String>,
    /// Why it exists.
    pub cause: Cause,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Tasks and events of one page.
#[cfg(feature = "ssr")]
const ROWS: u32 = 25;

/// One agent, with what ran there and what became of it.
///
/// # Errors
/// What the ports say.
#[server(prefix = "/ui", endpoint = "agents/get", protocol = crate::wire::Get)]
pub async fn get_agent(agent: AgentId) -> Result<AgentPage> {
    use crate::context::{ports, viewer};
    use domain::page::PageQuery;
    use domain::task::TaskQuery;
    let (ports, viewer) = (ports()?, viewer()?);
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let view = ports.agents.get(&viewer, agent).await.map_err(crate::Error::respond)?;
    let events = ports
        .agents
        .events(&viewer, agent, ROWS)
        .await
        .map_err(crate::Error::respond)?;
    let query = TaskQuery {
        agent: vec![agent.to_string()],
        page: PageQuery {
            limit: Some(ROWS),
            cursor: None,
        },
        ..TaskQuery::default()
    };
    let tasks = ports.tasks.list(&viewer, query).await.map_err(crate::Error::respond)?;
    let row = |t: domain::task::TaskView| RanRow {
        id: t.id,
        plan: t.plan.name,
        status: t.status,
        desired: t.desired,
        reason: t.reason,
        branch: t.branch,
        cause: t.cause,
        created_at: t.created_at,
        started_at: t.started_at,
        finished_at: t.finished_at,
    };
    Ok(AgentPage {
        seq,
        now: crate::context::visit()?.now,
        agent: view,
        tasks: tasks.items.into_iter().map(row).collect(),
        events,
    })
}

/// Pauses an agent with a note, for so many hours or until someone resumes it (0), drains it, or lets it take jobs again.
/// Stays on the page.
///
/// # Errors
/// What the port says; `Conflict` when someone else has changed the agent meanwhile.
#[server(prefix = "/ui", endpoint = "agents/patch", protocol = crate::wire::Post)]
pub async fn patch_agent(
    agent: AgentId,
    version: i64,
    availability: Availability,
    #[server(default)] note: String,
    #[server(default)] hours: i64,
) -> Result<()> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    let paused = hours > 0 && availability == Availability::Paused;
    let patch = domain::agent::PatchAgent {
        version,
        availability: Some(availability),
        note: Some(note.trim().to_owned()).filter(|n| !n.is_empty()),
        paused_until: paused.then(|| visit.now.plus(hours.min(8_760) * 3_600_000)),
        ..Default::default()
    };
    let agents = visit.ports.agents;
    agents
        .patch(&viewer, agent, patch)
        .await
        .map_err(crate::Error::respond)?;
    Ok(())
}

/// Changes what an admin sets: name, slots (empty for as many as the agent says) and labels. Stays on the page.
///
/// # Errors
/// What the port says; `Conflict` when someone else has changed the agent meanwhile.
#[server(prefix = "/ui", endpoint = "agents/edit", protocol = crate::wire::Post)]
pub async fn edit_agent(
    agent: AgentId,
    version: i64,
    #[server(default)] name: String,
    #[server(default)] slots: String,
    #[server(default)] labels: String,
) -> Result<()> {
    use crate::context::{ports, viewer};
    let (ports, viewer) = (ports()?, viewer()?);
    let wrong = |field: &str, why: &str| crate::Error::respond(domain::Error::invalid_field(field, why));
    let slots = match slots.trim() {
        "" => 0,
        n => n
            .parse()
            .map_err(|_| wrong("slots", "A number from 1 to 1000, or nothing."))?,
    };
    let labels = domain::agent::parse_labels(&labels).map_err(|why| wrong("labels", &why))?;
    let patch = domain::agent::PatchAgent {
        version,
        name: Some(name).filter(|n| !n.trim().is_empty()),
        slots: Some(slots),
        labels: Some(labels),
        ..Default::default()
    };
    ports
        .agents
        .patch(&viewer, agent, patch)
        .await
        .map_err(crate::Error::respond)?;
    Ok(())
}

/// Removes an agent and leads to the list. `force`: also while it runs something, which is lost then.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "agents/remove", protocol = crate::wire::Post)]
pub async fn remove_agent(agent: AgentId, #[server(default)] force: bool) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .agents
        .remove(&viewer()?, agent, force)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect("/agents");
    Ok(())
}
