//! The way of a step's bytes into the spool.
//!
//! **Invariant:** nothing is read from a step while the spool has no room, and nothing that was read is reordered.

use crate::clock;
use crate::spool::Spool;
use domain::Timestamp;
use domain::console::view::Stream;
use protocol::GapReason;
use std::sync::Arc;

/// Takes a step's output. Bytes the disk refuses are dropped: the spool keeps its fault, and the worker ends the step.
#[derive(Clone)]
pub(super) struct Sink(Arc<Spool>);

impl Sink {
    pub fn new(spool: Arc<Spool>) -> Self {
        Self(spool)
    }

    /// Stores bytes that arrived at `at` and lie in these places, then waits until more may come.
    pub async fn take_at(&self, stream: Stream, at: Timestamp, pieces: &[&[u8]]) {
        let _ = self.0.append_all(stream, at, pieces);
        self.0.room().await;
    }

    /// Bytes stored so far.
    pub fn stored(&self) -> u64 {
        self.0.len()
    }

    /// Notes that so many bytes could not be stored.
    pub fn dropped(&self, bytes: u64) {
        self.0.gap(Some(bytes), GapReason::AgentDisk);
    }

    /// Notes that nobody knows what was written here: the engine went away with it.
    pub fn broken_off(&self) {
        self.0.gap(None, GapReason::Crash);
    }

    /// Notes that nobody knows how much was written here while nobody was attached.
    pub fn detached(&self) {
        self.0.gap(None, GapReason::Detached);
    }

    /// Stores bytes that arrived now, then waits until more may come.
    pub async fn take(&self, stream: Stream, bytes: &[u8]) {
        let _ = self.0.append(stream, clock::now(), bytes);
        self.0.room().await;
    }
}
