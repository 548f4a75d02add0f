//! What an agent tells of itself beside its attempts: labels, load, that it goes; and what is noted when it has gone.
//!
//! **Invariant:** load stays in memory; whatever else is told is a row and an event.

use super::Dispatch;
use super::session::Session;
use crate::store::agents;
use domain::AgentId;
use domain::agent::{CLOCK_FAR_MS, Load, check_labels, same_clock};
use domain::status::AgentStatus;
use futures::FutureExt;

/// Why a connection is over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gone {
    /// It broke, was closed, or was taken over.
    Closed,
    /// Nothing came for too long.
    Silent,
    /// What came cannot be, or could not be written down.
    Wrong,
}

impl Dispatch {
    pub(super) async fn new_labels(&self, agent: AgentId, labels: domain::label::Labels) {
        if let Err(why) = check_labels(&labels) {
            tracing::warn!(agent.id = %agent, "Labels of agent {agent} are left out: {why}");
            return;
        }
        let now = self.clock.now();
        let written = self.store.write(move |tx| {
            let labels = labels.clone();
            async move { agents::set_reported_labels(tx, agent, &labels, now).await }.boxed()
        });
        match written.await {
            Ok(()) => self.place().await,
            Err(e) => tracing::error!(agent.id = %agent, error = %e, "Cannot note the labels of agent {agent}: {e}"),
        }
    }

    /// Load is kept in memory; a row is written only when the agent's clock turns out to be far off, by much
    /// more or less than before, or no longer is.
    pub(super) async fn new_load(&self, session: &mut Session, load: Load) {
        let (agent, now) = (session.agent, self.clock.now());
        self.live.set_load(agent, load);
        let off = load.at.since(now);
        let off = Some(off).filter(|off| off.saturating_abs() > CLOCK_FAR_MS);
        if session.clock_off.is_some_and(|known| same_clock(known, off)) {
            return;
        }
        session.clock_off = Some(off);
        let written = self
            .store
            .write(move |tx| agents::set_clock_off(tx, agent, off, now).boxed());
        if let Err(e) = written.await {
            tracing::warn!(agent.id = %agent, error = %e, "Cannot note the clock of agent {agent}: {e}");
        }
    }

    pub(super) async fn leaves(&self, session: &mut Session) {
        session.leaving = true;
        let (agent, number, now) = (session.agent, session.number, self.clock.now());
        let written = self
            .store
            .write(move |tx| agents::set_leaving(tx, agent, number, now).boxed());
        if let Err(e) = written.await {
            tracing::warn!(agent.id = %agent, error = %e, "Cannot note that agent {agent} takes no more: {e}");
        }
    }

    /// The connection is over and no newer one has taken over. An agent that said that it goes and holds nothing has gone.
    pub(super) async fn unheard(&self, session: &Session, gone: Gone) {
        self.unheard_of(session.agent, session.number, session.leaving, gone)
            .await;
    }

    /// The same, of the session with this number.
    pub(super) async fn unheard_of(&self, agent: AgentId, number: i64, leaving: bool, gone: Gone) {
        let now = self.clock.now();
        let silent_ms = self.settings.unreachable_ms;
        let written = self
            .store
            .write(move |tx| {
                async move {
                    let done = leaving && agents::held(tx, agent).await?.is_empty();
                    let (status, why) = match gone {
                        _ if done => (AgentStatus::Offline, "Its program ended.".to_owned()),
                        Gone::Closed => (AgentStatus::Unreachable, "Its connection broke.".into()),
                        Gone::Silent => (
                            AgentStatus::Unreachable,
                            format!("Nothing was heard of it for {} s.", silent_ms / 1_000),
                        ),
                        Gone::Wrong => (
                            AgentStatus::Unreachable,
                            "Its connection was ended: it sent what cannot be.".into(),
                        ),
                    };
                    agents::set_status(tx, agent, number, status, &why, now).await
                }
                .boxed()
            })
            .await;
        if let Err(e) = written {
            tracing::error!(agent.id = %agent, error = %e, "Cannot note that agent {agent} is away: {e}");
        }
    }
}
