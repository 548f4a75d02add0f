//! The server's clock was set, by hand or after a wrong start: leases and deadlines are instants in rows, so they move along.
//!
//! Forward, the rows go first and the engine's clock follows; back, the other way round: in between, everything is due too
//! late, never too soon.
//! **Invariant:** setting the clock, however far and whichever way, ends no attempt and starts none.

use super::Dispatch;
use crate::clock::Clock as _;
use crate::queue::apply;
use crate::store::{Batch, Result, Tx, agents, tasks};
use domain::lifecycle::Event;
use domain::{AgentId, Timestamp};
use futures::FutureExt;

impl Dispatch {
    /// Moves along what was measured by the clock as it was.
    pub(super) async fn clock_moved(&self, by_ms: i64) {
        tracing::warn!(
            by_ms,
            "The clock of this machine was set by {by_ms} ms: leases and deadlines move along"
        );
        let now = self.steady.now().plus(by_ms);
        if by_ms < 0 {
            self.steady.follow();
        }
        let (lease_ms, heard) = (self.settings.lease_ms, self.live.agents());
        let done = self.store.write(move |tx| {
            let heard = heard.clone();
            async move { shift(tx, by_ms, &heard, now, lease_ms).await }.boxed()
        });
        match done.await {
            Ok(()) => self.steady.follow(),
            // Forward it is tried again; back, what is due is due late.
            Err(e) => tracing::error!(error = %e, "Cannot move leases and deadlines along with the clock: {e}"),
        }
    }
}

async fn shift(tx: &mut Tx, by_ms: i64, heard: &[AgentId], now: Timestamp, lease_ms: i64) -> Result<()> {
    for task in tasks::handed_out(tx).await? {
        let moved = Event::ClockMoved {
            by_ms,
            heard: heard.to_vec(),
        };
        apply(tx, task, vec![moved], None, now).await?;
    }
    let mut batch = Batch::default();
    batch.push(
        "UPDATE jobs SET not_before = not_before + $1 WHERE status = 'pending' AND not_before IS NOT NULL",
        [by_ms.into()],
    );
    batch.push(
        "UPDATE agents SET seen_at = seen_at + $1 WHERE seen_at IS NOT NULL",
        [by_ms.into()],
    );
    tx.later(batch);
    for agent in heard {
        agents::heard(tx, *agent, now, now.plus(lease_ms)).await?;
    }
    Ok(())
}
