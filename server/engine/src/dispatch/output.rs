//! Output as it comes: stored where it joins on, asked for again where it does not.
//!
//! **Invariant:** of an attempt only its holder's output is stored; bytes are acknowledged by what is stored alone.

use super::Dispatch;
use super::session::{Reports, Session};
use crate::console::Appended;
use protocol::{AttemptEvent, OutputFrame, ToAgent};
use std::collections::hash_map::Entry;

impl Dispatch {
    /// Stores output; where it does not join on, the agent is told from where to send again.
    pub(super) async fn output(
        &self,
        session: &mut Session,
        o: &OutputFrame,
        reports: &mut Reports,
        answers: &mut Vec<ToAgent>,
    ) {
        if !self.holds(session, o.fence) {
            return self.refuse_output(session, o.fence, answers).await;
        }
        self.live.sign(o.fence.attempt, self.clock.elapsed());
        let stored = match self.consoles.append(o.fence.attempt, o.offset, &o.marks, &o.bytes) {
            Ok(Appended::Received { received }) => {
                session.asked.remove(&o.fence);
                received
            }
            Ok(Appended::Duplicate { .. }) => return,
            Ok(Appended::Gap { expected }) => {
                if session.asked.insert(o.fence, expected) != Some(expected) {
                    answers.push(ToAgent::Rewind {
                        fence: o.fence,
                        offset: expected,
                    });
                }
                return;
            }
            Err(e) => {
                // The agent keeps what is not acknowledged and is asked for it again with its next heartbeat; what it
                // sent on before that fails as this did.
                if let Entry::Vacant(first) = session.asked.entry(o.fence) {
                    tracing::error!(attempt.id = %o.fence.attempt, error = %e, "Cannot store output of attempt {}: {e}", o.fence.attempt);
                    first.insert(o.offset);
                }
                return;
            }
        };
        let is_whole =
            |(_, event): &(u64, AttemptEvent)| matches!(event, AttemptEvent::Ended { length, .. } if *length <= stored);
        if session.unfinished.get(&o.fence).is_some_and(is_whole)
            && let Some((n, event)) = session.unfinished.remove(&o.fence)
        {
            self.report(session, o.fence, n, event, reports, answers).await;
        }
    }
}
