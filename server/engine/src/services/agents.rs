//! Agents for both doors: look, pause, resume.
//!
//! **Invariant:** a change names the version it was read at; a stale one changes nothing.

use crate::clock::SharedClock;
use crate::queue::Outward;
use crate::store::audit::Entry;
use crate::store::{Store, agents};
use async_trait::async_trait;
use domain::agent::{AgentView, PatchAgent};
use domain::auth::{Action, Scope, Viewer, authorize};
use domain::lifecycle::Effect;
use domain::{AgentId, Error, Result};
use futures::FutureExt;

/// Longest note of a pause, in characters.
const NOTE: usize = 200;

/// The port `Agents`.
#[derive(Clone)]
pub struct AgentsService {
    store: Store,
    clock: SharedClock,
    out: Outward,
}

impl AgentsService {
    /// The port over a store.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, out: Outward) -> Self {
        Self { store, clock, out }
    }

    async fn one(&self, id: AgentId) -> Result<AgentView> {
        let all = agents::list(&self.store).await?;
        all.into_iter()
            .find(|a| a.id == id)
            .ok_or_else(|| Error::NotFound(format!("Agent {id}")))
    }
}

#[async_trait]
impl domain::ports::Agents for AgentsService {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<AgentView>> {
        authorize(viewer, Action::Read, Scope::default_project("the agents"))?;
        Ok(agents::list(&self.store).await?)
    }

    async fn get(&self, viewer: &Viewer, id: AgentId) -> Result<AgentView> {
        authorize(viewer, Action::Read, Scope::default_project("the agents"))?;
        self.one(id).await
    }

    async fn patch(&self, viewer: &Viewer, id: AgentId, patch: PatchAgent) -> Result<AgentView> {
        authorize(viewer, Action::Administer, Scope::default_project("the agents"))?;
        let before = self.one(id).await?;
        let note = patch
            .note
            .as_deref()
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(str::to_owned);
        if note
            .as_ref()
            .is_some_and(|n| n.chars().count() > NOTE || n.chars().any(char::is_control))
        {
            return Err(Error::invalid_field(
                "note",
                format!("A note is one line of at most {NOTE} characters."),
            ));
        }
        let to = patch.availability.unwrap_or(before.availability);
        let (now, actor, version) = (self.clock.now(), viewer.name.clone(), patch.version);
        let entry = Entry {
            object: Some("agent"),
            object_id: Some(id.0),
            after: Some(match &note {
                Some(note) => format!("{to}: {note}"),
                None => to.to_string(),
            }),
            ..Entry::by(viewer, now, "agent.change")
        };
        let done = self
            .store
            .write(move |tx| {
                let (note, actor, entry) = (note.clone(), actor.clone(), entry.clone());
                async move {
                    let done = agents::set_availability(tx, id, version, to, note.as_deref(), &actor, now).await?;
                    if done {
                        tx.audit(entry).await?;
                    }
                    Ok(done)
                }
                .boxed()
            })
            .await?;
        if !done {
            return Err(Error::Conflict(format!(
                "{} was changed meanwhile (version {} now, {version} when you read it). Look at it again, then repeat.",
                before.name, before.version
            )));
        }
        // A resumed agent may take what waited for it.
        self.out.send(vec![Effect::SlotFreed { agent: id }]);
        self.one(id).await
    }
}
