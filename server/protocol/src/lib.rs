//! What agent and server say to each other over `/agent` (DESIGN §8): JSON text for messages, binary frames for output.
//!
//! **Invariant:** resending is harmless; every message about an attempt carries `(attempt, epoch)`; unknown kinds are
//! ignored by both sides; a frame holds at most [`MAX_FRAME`] bytes.

mod assignment;
mod digest;
mod gap;
mod message;
mod output;

pub use assignment::{Assignment, CheckoutSpec, StepSpec};
pub use digest::{BLOCK, Digest, digest};
pub use gap::{GAPS_MAX, Gap, GapReason};
pub use message::{AttemptEvent, Exit, Fence, FromAgent, Have, HaveState, StepEnd, ToAgent, decode, encode};
pub use output::{FrameError, Mark, OutputFrame};

/// Protocol versions this build speaks, newest first.
pub const VERSIONS: &[u32] = &[1];
/// Most bytes of one websocket frame (reliability S37).
pub const MAX_FRAME: usize = 256 * 1024;
/// Most output bytes in one frame: leaves room for its head and marks.
pub const MAX_OUTPUT: usize = 64 * 1024;
