//! What agent and server say to each other over `/agent` (DESIGN §8): JSON text for messages, binary frames for output.
//!
//! **Invariant:** resending is harmless; every message about an attempt carries `(attempt, epoch)`; unknown kinds are
//! ignored by both sides; a frame holds at most [`MAX_FRAME`] bytes.

mod assignment;
mod digest;
mod gap;
mod message;
mod output;
mod proof;

pub use assignment::{Assignment, CheckoutSpec, StepSpec};
pub use digest::{BLOCK, Digest, digest};
pub use gap::{GAPS_MAX, Gap, GapReason};
pub use message::{
    AttemptEvent, Exit, Fence, FromAgent, Have, HaveState, RefusalCode, StepEnd, ToAgent, decode, encode,
};
pub use output::{FrameError, Mark, OutputFrame};
pub use proof::Proof;

/// Protocol versions this build speaks, newest first: the present one and the one before, so that server and agents can be
/// renewed in either order. Version 2 adds registration, load, labels that change, and codes of refusals; each is a message
/// or field that version 1 skips.
pub const VERSIONS: &[u32] = &[2, 1];

/// The highest version both sides speak.
#[must_use]
pub fn common(ours: &[u32], theirs: &[u32]) -> Option<u32> {
    ours.iter().copied().filter(|v| theirs.contains(v)).max()
}
/// Most bytes of one websocket frame (reliability S37).
pub const MAX_FRAME: usize = 256 * 1024;
/// Most output bytes in one frame: leaves room for its head and marks.
pub const MAX_OUTPUT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_version_agree_and_strangers_do_not() {
        for (ours, theirs, want) in [
            (&[2, 1][..], &[2, 1][..], Some(2)),
            (&[2, 1], &[3, 2], Some(2)),
            (&[3, 2], &[2, 1], Some(2)),
            (&[2, 1], &[1], Some(1)),
            (&[2, 1], &[1, 2], Some(2)),
            (&[2, 1], &[4, 3], None),
            (&[2, 1], &[], None),
        ] {
            assert_eq!(common(ours, theirs), want, "{ours:?} {theirs:?}");
        }
        assert!(
            VERSIONS.windows(2).all(|w| w[0] == w[1] + 1),
            "newest first, none left out"
        );
    }
}
