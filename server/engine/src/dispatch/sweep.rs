//! The sweeper: ends what nobody renews. It is the belt; every deadline also stands in a row.
//!
//! **Invariant:** a lease or deadline that has passed ends its attempt within a sweep, whoever died.

use super::Dispatch;
use super::told::Gone;
use crate::queue::apply;
use crate::store::agents::{Overdue, fade, fading, overdue, resume_due, resume_due_now, silent};
use crate::store::tasks::held_back;
use domain::Timestamp;
use domain::lifecycle::Event;
use futures::FutureExt;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(2);
/// Milliseconds an agent gets beyond a deadline to end the attempt itself and report it.
const MARGIN_MS: i64 = 30_000;

impl Dispatch {
    pub(super) async fn sweep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => self.sweep_once().await,
            }
        }
    }

    /// Ends every attempt that is overdue now, and hands out what was held back until now.
    pub async fn sweep_once(&self) {
        let now = self.clock.now();
        let was_low = self.space.is_low();
        if self.space.look().is_none() && was_low {
            // What waited for space.
            self.place().await;
        }
        if let Some(by_ms) = self.steady.strayed() {
            // What is due is due by the next look, when what was measured by the old clock has moved along.
            return self.clock_moved(by_ms).await;
        }
        match held_back(&self.store, now).await {
            Ok(true) => self.place().await,
            Ok(false) => {}
            Err(e) => tracing::error!(error = %e, "Cannot look for jobs held back: {e}"),
        }
        self.resume(now).await;
        self.mark_silent(now.plus(-2 * self.settings.unreachable_ms)).await;
        self.fade(now.plus(-self.settings.lease_ms), now).await;
        let found = match overdue(&self.store, now, MARGIN_MS + self.settings.grace_ms).await {
            Ok(found) => found,
            Err(e) => {
                tracing::error!(error = %e, "Cannot look for overdue attempts: {e}");
                return;
            }
        };
        for Overdue {
            attempt,
            task,
            lease,
            heard,
        } in found
        {
            let event = if lease {
                Event::LeaseExpired { attempt, heard }
            } else {
                Event::DeadlinePassed { attempt }
            };
            let ended = self.store.write(move |tx| {
                let event = event.clone();
                async move { Ok(apply(tx, task, vec![event], None, now).await?.effects) }.boxed()
            });
            match ended.await {
                Ok(effects) => {
                    tracing::warn!(attempt.id = %attempt, task.id = %task, "Attempt {attempt} of task {task} is overdue and was ended");
                    self.live.end(attempt);
                    self.consoles.ended(attempt);
                    self.out.send(effects);
                }
                Err(e) => {
                    tracing::error!(attempt.id = %attempt, error = %e, "Cannot end the overdue attempt {attempt}: {e}")
                }
            }
        }
    }

    /// Pauses whose time is over end, and what waited for those agents is handed out.
    async fn resume(&self, now: Timestamp) {
        let done = match resume_due(&self.store, now).await {
            Ok(false) => return,
            Ok(true) => self.store.write(move |tx| resume_due_now(tx, now).boxed()).await,
            Err(e) => Err(e),
        };
        match done {
            Ok(()) => self.place().await,
            Err(e) => tracing::error!(error = %e, "Cannot end pauses whose time is over: {e}"),
        }
    }

    /// The belt of [`Dispatch::unheard`]: where that could not be written, an agent would be online for ever. A connection
    /// that there is ends by its own silence.
    async fn mark_silent(&self, heard_before: Timestamp) {
        match silent(&self.store, heard_before).await {
            Ok(found) => {
                for (agent, session) in found.into_iter().filter(|(agent, _)| !self.live.connected(*agent)) {
                    self.unheard_of(agent, session, false, Gone::Silent).await;
                }
            }
            Err(e) => tracing::error!(error = %e, "Cannot look for silent agents: {e}"),
        }
    }

    /// Agents away for longer than a lease are offline.
    async fn fade(&self, heard_before: Timestamp, now: Timestamp) {
        let done = match fading(&self.store, heard_before).await {
            Ok(false) => return,
            Ok(true) => self.store.write(move |tx| fade(tx, heard_before, now).boxed()).await,
            Err(e) => Err(e),
        };
        if let Err(e) = done {
            tracing::error!(error = %e, "Cannot note that agents are offline: {e}");
        }
    }
}
