//! The server's clock was set, by hand or after a wrong start: leases and deadlines are instants in rows, so they move along.
//!
//! **Invariant:** setting the clock, however far and whichever way, ends no attempt and starts none.

use super::Dispatch;
use crate::queue::apply;
use crate::store::{Batch, Result, Tx, agents, tasks};
use domain::lifecycle::Event;
use domain::{AgentId, Timestamp};
use futures::FutureExt;
use std::sync::{Mutex, PoisonError};

/// Between two looks the two clocks differ by less than this, unless one was set.
const STRAY_MS: i64 = 5_000;

/// What both clocks said at the last look.
#[derive(Debug, Default)]
pub(super) struct Look(Mutex<Option<(Timestamp, i64)>>);

impl Look {
    /// How far the clock was set since the last look; `None` when it was not.
    pub fn moved(&self, now: Timestamp, elapsed: i64) -> Option<i64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, before) = last.replace((now, elapsed))?;
        let by = now.since(then) - (elapsed - before);
        (by.abs() > STRAY_MS).then_some(by)
    }
}

impl Dispatch {
    /// Moves along what was measured by the clock as it was.
    pub(super) async fn clock_moved(&self, by_ms: i64) {
        tracing::warn!(
            by_ms,
            "The clock of this machine was set by {by_ms} ms: leases and deadlines move along"
        );
        let (clock, lease_ms, heard) = (self.clock.clone(), self.settings.lease_ms, self.live.agents());
        let done = self.store.write(move |tx| {
            let (now, heard) = (clock.now(), heard.clone());
            async move { shift(tx, by_ms, &heard, now, lease_ms).await }.boxed()
        });
        if let Err(e) = done.await {
            tracing::error!(error = %e, "Cannot move leases and deadlines along with the clock: {e}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_from_time_that_passed() {
        let look = Look::default();
        assert_eq!(look.moved(Timestamp(1_000), 50), None, "the first look");
        assert_eq!(
            look.moved(Timestamp(901_000), 900_050),
            None,
            "time passed, or the machine slept"
        );
        assert_eq!(look.moved(Timestamp(4_503_000), 902_050), Some(3_600_000));
        assert_eq!(look.moved(Timestamp(905_000), 904_050), Some(-3_600_000));
        assert_eq!(look.moved(Timestamp(908_000), 906_050), None, "drift");
    }
}
