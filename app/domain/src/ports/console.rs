//! The port of consoles: bytes and lines of steps, and a task's whole output.
//!
//! **Invariant:** bytes come out as they went in; a reader never holds up a writer.

use crate::auth::Viewer;
use crate::console::view::{Gaps, Lines, Tail};
use crate::{AttemptId, Result, StepId, TaskId};
use async_trait::async_trait;
use std::ops::Range;
use std::pin::Pin;

/// A stream of bytes; an `Err` ends it.
pub type ByteStream = Pin<Box<dyn futures_core::Stream<Item = std::io::Result<Vec<u8>>> + Send>>;

/// A stretch of a console.
pub struct Slice {
    /// Bytes there are in all.
    pub total: u64,
    /// Changes whenever the bytes could have.
    pub etag: String,
    /// Whether no more will come.
    pub ended: bool,
    /// What is missing in the whole of it.
    pub gaps: Gaps,
    /// The stretch asked for, as a stream.
    pub bytes: ByteStream,
}

/// A task's whole output.
pub struct Whole {
    /// What is missing in it, as far as it is known at the beginning.
    pub gaps: Gaps,
    /// The bytes.
    pub bytes: ByteStream,
}

/// Consoles.
#[async_trait]
pub trait Console: Send + Sync {
    /// A step's exact bytes; the whole when `range` is `None`. `Invalid` when the range lies outside.
    async fn step_bytes(&self, viewer: &Viewer, step: StepId, range: Option<Range<u64>>) -> Result<Slice>;
    /// Lines `from..from+limit` of a step, 1-based; at most 5,000.
    async fn lines(&self, viewer: &Viewer, step: StepId, from: i64, limit: u32) -> Result<Lines>;
    /// The last `n` lines of a step, and where to view from.
    async fn tail(&self, viewer: &Viewer, step: StepId, n: u32) -> Result<Tail>;
    /// A task's console: the steps' bytes in job, then step order, nothing between. `follow` goes on to the end, with
    /// lines of parallel jobs whole and as they come; `setup` puts set-up and clean-up in.
    async fn task(&self, viewer: &Viewer, task: TaskId, follow: bool, setup: bool) -> Result<Whole>;
    /// Opens an attempt's console for a live view: bytes at `from`, up to `max`, and where it stands.
    async fn read(&self, viewer: &Viewer, attempt: AttemptId, from: u64, max: usize) -> Result<Piece>;
    /// Waits until the attempt's console is longer than `past` or has ended; the caller has been authorised by `read`.
    async fn grown(&self, attempt: AttemptId, past: u64);
}

/// What `Console::read` gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes from the asked offset on.
    pub bytes: Vec<u8>,
    /// Bytes stored in all.
    pub total: u64,
    /// Whether no more will come.
    pub ended: bool,
    /// Places where bytes are missing, in all.
    pub gaps: u64,
}
