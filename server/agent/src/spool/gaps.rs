//! Places in an attempt's output where bytes are missing: noted on disk when they are found, told in order with the bytes.
//!
//! Whoever loses output calls [`Spool::gap`] at that moment; the outbox does the rest. A line of JSON each, in `gaps`.
//! **Invariant:** a gap is numbered once, and told by that number again after a restart; the server takes it once.

use super::Spool;
use protocol::{GAPS_MAX, Gap, GapReason};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The gaps of one spool.
#[derive(Default)]
pub(super) struct Noted {
    count: AtomicUsize,
    all: Mutex<Vec<Gap>>,
}

impl Noted {
    /// Reads what an earlier run noted; a line cut by a crash was not told yet either.
    pub fn load(&self, folder: &Path) -> io::Result<()> {
        let text = match std::fs::read_to_string(folder.join("gaps")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(text.lines().map_while(|line| serde_json::from_str::<Gap>(line).ok()));
        self.count.store(all.len(), Ordering::Release);
        Ok(())
    }
}

impl Spool {
    /// Notes that bytes are missing behind what was appended so far; `size` is how many, where that is known. A disk that
    /// does not take the note cannot keep it from being told, only from being told after a restart.
    pub fn gap(&self, size: Option<u64>, reason: GapReason) {
        let mut all = self.gaps.all.lock().unwrap_or_else(PoisonError::into_inner);
        let k = all.len() as u32 + 1;
        if k > GAPS_MAX {
            return;
        }
        // The last one stands for all that follow.
        let size = size.filter(|_| k < GAPS_MAX);
        let at = self.len();
        let gap = Gap { k, at, size, reason };
        if let Err(e) = self.write_gap(gap) {
            tracing::warn!(
                "A gap in the output could not be noted in {}: {e}",
                self.folder().display()
            );
        }
        all.push(gap);
        self.gaps.count.store(all.len(), Ordering::Release);
        drop(all);
        self.bell.notify_one();
    }

    fn write_gap(&self, gap: Gap) -> io::Result<()> {
        self.made()?;
        let mut options = OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.folder().join("gaps"))?;
        let mut line = serde_json::to_vec(&gap)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()
    }

    /// The gaps from number `after` + 1 on.
    #[must_use]
    pub fn gaps(&self, after: usize) -> Vec<Gap> {
        if self.gaps.count.load(Ordering::Acquire) <= after {
            return Vec::new();
        }
        let all = self.gaps.all.lock().unwrap_or_else(PoisonError::into_inner);
        all[after..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::console::view::Stream;
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[test]
    fn gaps_survive_a_restart_and_a_line_that_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("7-1");
        let spool = Spool::create(&folder);
        spool.gap(Some(3), GapReason::Detached);
        spool.append(Stream::Stdout, Timestamp(1), b"abc").unwrap();
        spool.gap(None, GapReason::AgentDisk);
        let want = [
            Gap {
                k: 1,
                at: 0,
                size: Some(3),
                reason: GapReason::Detached,
            },
            Gap {
                k: 2,
                at: 3,
                size: None,
                reason: GapReason::AgentDisk,
            },
        ];
        assert_eq!(spool.gaps(0), want);
        assert_eq!(spool.gaps(1), want[1..]);
        assert!(spool.gaps(2).is_empty() && spool.gaps(9).is_empty());
        drop(spool);
        let mut file = OpenOptions::new().append(true).open(folder.join("gaps")).unwrap();
        file.write_all(b"{\"k\":3,\"at\":").unwrap();
        let spool = Spool::open(&folder, Arc::new(Notify::new())).unwrap();
        assert_eq!(spool.gaps(0), want);
    }

    #[test]
    fn they_are_bounded_and_the_last_stands_for_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path().join("7-1"));
        // Only the bound is of interest: the disk is left out.
        let all = (1..GAPS_MAX).map(|k| Gap {
            k,
            at: 0,
            size: Some(1),
            reason: GapReason::Crash,
        });
        spool.gaps.all.lock().unwrap().extend(all);
        for _ in 0..3 {
            spool.gap(Some(5), GapReason::Crash);
        }
        let last = spool.gaps(GAPS_MAX as usize - 1);
        assert_eq!(
            last.iter().map(|g| (g.k, g.size)).collect::<Vec<_>>(),
            [(GAPS_MAX, None)]
        );
    }
}
