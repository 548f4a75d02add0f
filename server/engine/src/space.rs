//! Space on the disk of the data folder: when it runs out, new work is refused in a sentence while what runs goes on.
//!
//! Below the mark no task is taken or handed out, and no output is stored: it waits in the agents' spools. What is left is the database's,
//! and when that is nearly gone a reserve is given back, so that an abort can be written on a disk that others have filled.
//! **Invariant:** it only looks; whoever is refused has changed nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Below this, or a twentieth of the disk if that is less, there is too little.
const LITTLE: u64 = 1 << 30;
/// The reserve, or a fiftieth of the disk if that is less.
const RESERVE: u64 = 16 << 20;

/// The disk of a data folder.
pub struct Space {
    folder: PathBuf,
    low: AtomicBool,
}

/// What a disk has, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    free: u64,
    total: u64,
}

impl Room {
    fn mark(self) -> u64 {
        (self.total / 20).min(LITTLE)
    }

    fn reserve(self) -> u64 {
        (self.total / 50).min(RESERVE)
    }
}

impl Space {
    /// The disk that this folder lies on; looked at now.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let space = Self {
            folder: folder.to_owned(),
            low: AtomicBool::new(false),
        };
        space.look();
        space
    }

    /// Looks how much there is, and keeps or gives back the reserve; answers the bytes that are free when they are too few.
    pub fn look(&self) -> Option<u64> {
        let room = match self.room() {
            Ok(room) => room,
            Err(error) => {
                tracing::warn!(%error, "The disk of {} cannot be asked how full it is: {error}", self.folder.display());
                return None;
            }
        };
        let low = room.free < room.mark();
        if self.low.swap(low, Ordering::AcqRel) != low {
            if low {
                tracing::error!(
                    free = room.free,
                    "The disk of {} is nearly full: no new task is taken",
                    self.folder.display()
                );
            } else {
                tracing::info!(
                    free = room.free,
                    "The disk of {} has space again",
                    self.folder.display()
                );
            }
        }
        let kept = self.reserve();
        if room.free < room.mark() / 4 {
            // Gone already is as good.
            let _ = std::fs::remove_file(&kept);
        } else if !low && room.free >= room.mark() + room.reserve() && !kept.exists() {
            let made = std::fs::File::create(&kept).and_then(|f| {
                Ok(rustix::fs::fallocate(
                    &f,
                    rustix::fs::FallocateFlags::empty(),
                    0,
                    room.reserve(),
                )?)
            });
            if made.is_err() {
                let _ = std::fs::remove_file(&kept);
            }
        }
        low.then_some(room.free)
    }

    /// Whether there was too little at the last look; memory alone.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Acquire)
    }

    /// Why no new work is taken; looked at anew when there was too little, so that it is true when it is said.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let free = self.is_low().then(|| self.look())??;
        Some(format!(
            "The disk of the server is nearly full ({} MB free), so no new task is taken. Free space in its data folder, or \
             give it a larger disk; what runs goes on meanwhile.",
            free / 1_000_000
        ))
    }

    fn reserve(&self) -> PathBuf {
        self.folder.join("reserve")
    }

    fn room(&self) -> io::Result<Room> {
        let s = rustix::fs::statvfs(&self.folder)?;
        let of = |blocks: u64| blocks.saturating_mul(s.f_frsize);
        Ok(Room {
            free: of(s.f_bavail),
            total: of(s.f_blocks),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_a_twentieth_and_never_more_than_a_gibibyte() {
        let room = |total| Room { free: 0, total };
        for (total, mark, reserve) in [(64 << 20, (64 << 20) / 20, (64 << 20) / 50), (4 << 40, LITTLE, RESERVE)] {
            assert_eq!((room(total).mark(), room(total).reserve()), (mark, reserve));
        }
    }
}
