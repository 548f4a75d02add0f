//! What agents say of attempts that are not theirs, or not any more: refused, written down, and to be forgotten.
//!
//! **Invariant:** nothing of it changes a row but the audit; an agent that repeats itself is written down once a session.

use super::session::Session;
use super::{Dispatch, translate};
use crate::store::audit::Entry;
use domain::{AgentId, Timestamp};
use futures::FutureExt;
use protocol::{AttemptEvent, Fence, ToAgent};

/// The entry for something an agent said and that was refused.
pub(super) fn entry(agent: AgentId, fence: Fence, what: &str, why: &str, now: Timestamp) -> Entry {
    Entry {
        at: now,
        actor_kind: "agent",
        actor_id: Some(agent.0),
        action: "attempt.report",
        object: Some("attempt"),
        object_id: Some(fence.attempt.0),
        after: Some(format!("epoch {}, {what}: {why}", fence.epoch)),
        result: "refused",
        ..Entry::default()
    }
}

/// A report in a word, for people who read the audit.
pub(super) fn word(event: &AttemptEvent) -> &'static str {
    match event {
        AttemptEvent::Preparing { .. } => "preparing",
        AttemptEvent::CheckedOut { .. } => "checked out",
        AttemptEvent::StepStarted { .. } => "step started",
        AttemptEvent::StepEnded(_) => "step ended",
        AttemptEvent::Gap(_) => "a gap in the output",
        AttemptEvent::Ended { .. } => "ended",
    }
}

impl Dispatch {
    /// Whether the agent holds the attempt by this fence, as far as this server remembers.
    pub(super) fn holds(&self, session: &Session, fence: Fence) -> bool {
        self.live.holder(fence.attempt) == Some((session.agent, translate::held(fence)))
    }

    /// Refuses output of an attempt that is not the agent's.
    pub(super) async fn refuse_output(&self, session: &mut Session, fence: Fence, answers: &mut Vec<ToAgent>) {
        answers.push(ToAgent::Forget { fence });
        if !session.foreign.insert(fence) {
            return;
        }
        let (agent, now) = (session.agent, self.clock.now());
        tracing::warn!(agent.id = %agent, attempt.id = %fence.attempt, "Refused output of agent {agent}: it does not hold attempt {}", fence.attempt);
        let entry = entry(agent, fence, "output", "This attempt is not held by this agent.", now);
        let written = self.store.write(move |tx| {
            let entry = entry.clone();
            async move { tx.audit(entry).await }.boxed()
        });
        if let Err(e) = written.await {
            tracing::error!(agent.id = %agent, error = %e, "Cannot write down what was refused to agent {agent}: {e}");
        }
    }
}
