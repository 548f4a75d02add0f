//! What an attempt's console has and lacks, as its row says it; and what is nowhere any more.
//!
//! **Invariant:** a row never says that more is stored, or that less is missing, than the console store knows.

use super::Dispatch;
use super::session::Session;
use crate::console::Consoles;
use crate::store::tasks::CONSOLE_MEASURE;
use crate::store::{Batch, Value};
use domain::AttemptId;
use futures::FutureExt;
use protocol::{Fence, ToAgent};

/// Offsets of an output stay below this.
const FARTHEST: u64 = 1 << 59;

/// What is stored and what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    bytes: i64,
    gaps: i64,
    gap_bytes: i64,
}

impl Measure {
    /// As the console store knows it; nothing when it cannot be read.
    pub fn of(consoles: &Consoles, attempt: AttemptId) -> Option<Self> {
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let standing = consoles.standing(attempt).ok()?;
        let gaps = consoles.gaps(attempt, None).ok()?;
        Some(Self {
            bytes: int(standing.len),
            gaps: int(gaps.count),
            gap_bytes: int(gaps.bytes),
        })
    }

    pub fn row(&self, attempt: AttemptId) -> [Value; 4] {
        [
            attempt.0.into(),
            self.bytes.into(),
            self.gaps.into(),
            self.gap_bytes.into(),
        ]
    }
}

impl Dispatch {
    /// An agent has not what was asked of it again: it is nowhere any more, and is counted as missing.
    pub(super) async fn gone(
        &self,
        session: &mut Session,
        fence: Fence,
        from: u64,
        to: u64,
        answers: &mut Vec<ToAgent>,
    ) {
        if !self.holds(session, fence) {
            return self.refuse_output(session, fence, answers).await;
        }
        let attempt = fence.attempt;
        if to >= FARTHEST {
            return;
        }
        tracing::error!(attempt.id = %attempt, from, to, "Output of attempt {attempt} that was stored here is lost, and its agent has let it go");
        match self.off_thread(move |c| c.gone(attempt, from, to)).await {
            Ok(offset) => {
                session.asked.remove(&fence);
                answers.push(ToAgent::Rewind { fence, offset });
            }
            Err(e) => {
                tracing::error!(attempt.id = %attempt, error = %e, "Cannot note a gap in the console of attempt {attempt}: {e}");
                return;
            }
        }
        let Some(measure) = Measure::of(&self.consoles, attempt) else {
            return;
        };
        let written = self.store.write(move |tx| {
            let mut batch = Batch::default();
            batch.each(&CONSOLE_MEASURE, measure.row(attempt));
            tx.later(batch);
            async { Ok(()) }.boxed()
        });
        if let Err(e) = written.await {
            tracing::error!(attempt.id = %attempt, error = %e, "Cannot note what is missing of attempt {attempt}: {e}");
        }
    }

    /// After a sync that failed: what this agent is asked to send once more.
    pub(super) fn ask_again(&self, session: &Session, answers: &mut Vec<ToAgent>) {
        for fence in self.live.held_by(session.agent) {
            if let Some(offset) = self.consoles.wanted(fence.attempt) {
                let fence = super::translate::fence(fence);
                answers.push(ToAgent::Rewind { fence, offset });
            }
        }
    }
}
