//! What an agent is believed to hold, compared with what it says it runs, at every heartbeat: a lease is renewed by a living
//! agent, so it alone would never end an attempt that this agent does not have.
//!
//! **Invariant:** an assignment that was not taken is sent again; an attempt of which there is no sign for a whole lease,
//! though its agent is heard, is lost.

use super::session::Session;
use super::{Dispatch, translate};
use crate::queue::apply;
use crate::store::tasks::load_by_attempt;
use domain::lifecycle::{Effect, Event};
use futures::FutureExt;
use protocol::{Fence, ToAgent};

/// Heartbeats after which an assignment that was not taken is sent again.
const AGAIN: i64 = 2;

impl Dispatch {
    /// Looks after what the agent should hold; `running` is what it says it runs.
    pub(super) async fn look_after(&self, session: &Session, running: &[Fence], answers: &mut Vec<ToAgent>) {
        let elapsed = self.clock.elapsed();
        for (fence, taken, quiet_ms) in self.live.unseen(session.agent, running, elapsed) {
            let (agent, wire) = (session.agent, translate::fence(fence));
            if !taken {
                if quiet_ms >= AGAIN * self.settings.heartbeat_ms {
                    self.out.send(vec![Effect::Assign { agent, fence }]);
                }
                continue;
            }
            // What it has told whole but for its output is on its way.
            if quiet_ms <= self.settings.lease_ms || session.unfinished.contains_key(&wire) {
                continue;
            }
            tracing::warn!(agent.id = %agent, attempt.id = %fence.attempt, "Agent {agent} is heard, and there is no sign of attempt {} for a whole lease", fence.attempt);
            let now = self.clock.now();
            let written = self.store.write(move |tx| {
                async move {
                    let Some(task) = load_by_attempt(tx, fence.attempt).await? else {
                        return Ok(Vec::new());
                    };
                    let gone = Event::AgentForgot {
                        attempt: fence.attempt,
                        epoch: fence.epoch,
                    };
                    Ok(apply(tx, task, vec![gone], None, now).await?.effects)
                }
                .boxed()
            });
            match written.await {
                Ok(effects) => {
                    self.live.end(fence.attempt);
                    self.consoles.ended(fence.attempt);
                    answers.push(ToAgent::Forget { fence: wire });
                    self.out.send(effects);
                }
                Err(e) => {
                    tracing::error!(attempt.id = %fence.attempt, error = %e, "Cannot end attempt {}: {e}", fence.attempt);
                }
            }
        }
    }
}
