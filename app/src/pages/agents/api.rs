//! Server functions of agents.
//!
//! **Invariant:** each gets the viewer, calls one port and returns.

use crate::error::Result;
use domain::agent::AgentView;
use domain::status::Availability;
use domain::{AgentId, Timestamp};
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

/// Pauses an agent with a note, drains it, or lets it take jobs again. Stays on the page.
///
/// # Errors
/// What the port says; `Conflict` when someone else has changed the agent meanwhile.
#[server(prefix = "/ui", endpoint = "agents/patch", protocol = crate::wire::Post)]
pub async fn patch_agent(
    agent: AgentId,
    version: i64,
    availability: Availability,
    #[server(default)] note: String,
) -> Result<()> {
    use crate::context::{ports, viewer};
    let note = Some(note.trim().to_owned()).filter(|n| !n.is_empty());
    let patch = domain::agent::PatchAgent {
        version,
        availability: Some(availability),
        note,
    };
    ports()?
        .agents
        .patch(&viewer()?, agent, patch)
        .await
        .map_err(crate::Error::respond)?;
    Ok(())
}
