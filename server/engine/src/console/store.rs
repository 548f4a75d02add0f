//! All consoles of a server: found by attempt, with a bounded number of open files.
//!
//! **Invariant:** an attempt has one [`Console`] in memory at a time, so its writer is one too.

use super::durable::{OnDurable, Worker, is_clean};
use super::file::{Console, locked};
use super::{Appended, Extent, Finished, Standing, TailOf, lines};
use crate::space::Space;
use domain::AttemptId;
use domain::console::view::{Gaps, Lines};
use protocol::Mark;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bounds of a store.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Consoles whose files are open at once (two descriptors each).
    pub open_files: usize,
    /// Consoles whose index is in memory at once, those in use and those being written aside.
    pub in_memory: usize,
    /// Bytes kept of one attempt; what comes after them is counted and not kept.
    pub limit: u64,
    /// Puts a file on disk. Tests let it fail.
    pub sync: fn(&std::fs::File) -> io::Result<()>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            open_files: 192,
            in_memory: 1024,
            limit: 1 << 30,
            sync: std::fs::File::sync_data,
        }
    }
}

struct Shared {
    dir: PathBuf,
    options: Options,
    consoles: Mutex<HashMap<AttemptId, Arc<Console>>>,
    uses: AtomicU64,
    worker: Worker,
    space: Option<Arc<Space>>,
}

/// The console store; clones are the same store.
#[derive(Clone)]
pub struct Consoles(Arc<Shared>);

impl Consoles {
    /// Opens the store in `dir`, which is made if need be. `told` hears, off the async threads, how far an attempt's
    /// console is durable.
    ///
    /// # Errors
    /// When the folder cannot be made or the thread not started.
    pub fn open(dir: &Path, told: impl Fn(AttemptId, u64) + Send + Sync + 'static) -> io::Result<Self> {
        Self::open_with(dir, Options::default(), Arc::new(told), None)
    }

    /// As [`Consoles::open`], with other bounds; where `space` is low, no output is taken.
    ///
    /// # Errors
    /// When the folder cannot be made or the thread not started.
    pub fn open_with(dir: &Path, options: Options, told: OnDurable, space: Option<Arc<Space>>) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self(Arc::new(Shared {
            dir: dir.to_owned(),
            options,
            consoles: Mutex::default(),
            uses: AtomicU64::new(0),
            worker: Worker::start(told)?,
            space,
        })))
    }

    pub(super) fn console(&self, attempt: AttemptId) -> Arc<Console> {
        let shared = &self.0;
        let now = shared.uses.fetch_add(1, Ordering::Relaxed);
        let mut all = locked(&shared.consoles);
        let console = Arc::clone(
            all.entry(attempt)
                .or_insert_with(|| Arc::new(Console::new(&shared.dir, attempt, shared.options))),
        );
        console.touched.store(now, Ordering::Relaxed);
        // Looked at now and then only: both sweeps walk the whole table.
        if now % 64 == 63 || all.len() > 2 * shared.options.in_memory {
            forget(&mut all, shared.options.in_memory);
            close_files(&all, shared.options.open_files, attempt);
        }
        console
    }

    /// Takes bytes of an attempt that begin at `offset`. Idempotent: what is there already is ignored, by offset. A short
    /// write to the page cache; readers see it at once, the durable offset is told later.
    ///
    /// # Errors
    /// When the disk refuses; nothing of this append is stored then, and it can be sent again.
    pub fn append(&self, attempt: AttemptId, offset: u64, marks: &[Mark], bytes: &[u8]) -> io::Result<Appended> {
        if self.0.space.as_ref().is_some_and(|s| s.is_low() && s.look().is_some()) {
            // It waits in its agent's spool; what is left here is the database's.
            return Err(io::ErrorKind::StorageFull.into());
        }
        let console = self.console(attempt);
        let appended = console.append(offset, marks, bytes)?;
        if !matches!(appended, Appended::Gap { .. }) {
            // A duplicate too: whoever sends again has not heard the acknowledgement.
            self.0.worker.queue.add(&console);
        }
        Ok(appended)
    }

    /// Closes an attempt's console when `length` bytes with the `digest` (of [`protocol::Digest`]) are there; they are durable then.
    /// Idempotent. Syncs the file: call it off the async threads.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&self, attempt: AttemptId, length: u64, digest: u64) -> io::Result<Finished> {
        self.console(attempt).finish(length, digest)
    }

    /// Says that no more will come, though the console was never closed by length and digest: its agent is lost.
    pub fn ended(&self, attempt: AttemptId) {
        self.console(attempt).ended();
    }

    /// Closes an attempt's console whose bytes are as many as its agent wrote, but not the same; its end says so.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish_differing(&self, attempt: AttemptId) -> io::Result<()> {
        self.console(attempt).finish_differing()
    }

    /// Notes a gap that an agent tells of; it is on disk when this answers. Idempotent by its number.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn gap(&self, attempt: AttemptId, gap: protocol::Gap) -> io::Result<()> {
        self.console(attempt).gap(gap)
    }

    /// Notes that the stream's bytes from `from` (the next one wanted) up to `to` are nowhere any more; answers the next
    /// one wanted.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn gone(&self, attempt: AttemptId, from: u64, to: u64) -> io::Result<u64> {
        self.console(attempt).gone(from, to)
    }

    /// From where an attempt's output is wanted once more, because a sync failed; asks memory alone.
    #[must_use]
    pub fn wanted(&self, attempt: AttemptId) -> Option<u64> {
        let console = locked(&self.0.consoles).get(&attempt).cloned()?;
        console.wanted()
    }

    /// Bytes of an attempt's stream that have come: the next one wanted.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn received(&self, attempt: AttemptId) -> io::Result<u64> {
        self.console(attempt).received()
    }

    /// Where an extent of the stream lies in the file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn in_file(&self, attempt: AttemptId, stream: Extent) -> io::Result<Extent> {
        let console = self.console(attempt);
        console.load()?;
        let index = console.index.read().unwrap_or_else(PoisonError::into_inner);
        let from = index.gaps.in_file(stream.from);
        let end = index.gaps.in_file(stream.end());
        Ok(Extent {
            from,
            len: end - from,
            ..stream
        })
    }

    /// What is missing in an extent of the file; in all of it when `None`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn gaps(&self, attempt: AttemptId, extent: Option<Extent>) -> io::Result<Gaps> {
        let console = self.console(attempt);
        let len = console.load()?.len;
        let index = console.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Gaps::default();
        for gap in index.gaps.iter() {
            let inside = |e: &Extent| gap.offset >= e.from && (gap.offset < e.end() || !e.followed && e.end() >= len);
            if extent.as_ref().is_none_or(inside) {
                found.add(gap.size);
            }
        }
        Ok(found)
    }

    /// Where a console stands; nothing stored is length 0.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn standing(&self, attempt: AttemptId) -> io::Result<Standing> {
        self.console(attempt).load()
    }

    /// Bytes from `from` on, at most `max`, no more than there are.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&self, attempt: AttemptId, from: u64, max: usize) -> io::Result<Vec<u8>> {
        self.console(attempt).read(from, max)
    }

    /// Lines `first..first+limit` of an extent, 1-based; fewer where they are very long.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn lines(&self, attempt: AttemptId, extent: Extent, first: u64, limit: u32) -> io::Result<Lines> {
        lines::lines(&self.console(attempt), extent, first, limit)
    }

    /// The last `n` lines of an extent, and from where a view goes on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn tail(&self, attempt: AttemptId, extent: Extent, n: u32) -> io::Result<TailOf> {
        lines::tail(&self.console(attempt), extent, n)
    }

    /// How many lines an extent has; an unterminated tail counts.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn count(&self, attempt: AttemptId, extent: Extent) -> io::Result<u64> {
        lines::count(&self.console(attempt), extent)
    }

    /// Waits until the console is longer than `past`, has a gap more than now, or has ended, and says where it stands.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn grown(&self, attempt: AttemptId, past: u64) -> io::Result<Standing> {
        let console = self.console(attempt);
        let gaps = console.load()?.gaps;
        let mut standing = console.standing.subscribe();
        let seen = standing.wait_for(|s| s.len > past || s.gaps != gaps || s.ended).await;
        // The sender lives in `console`, so the wait ends only by what it waits for.
        Ok(seen.map_or_else(
            |_| Standing {
                len: past,
                ended: true,
                gaps: 0,
            },
            |s| *s,
        ))
    }

    /// Consoles whose files are open, for the health page and tests.
    #[must_use]
    pub fn open_files(&self) -> usize {
        locked(&self.0.consoles).values().filter(|c| c.has_files()).count()
    }
}

/// Forgets consoles that nobody holds, the longest unused first; those being written are kept as long as that is sane.
fn forget(all: &mut HashMap<AttemptId, Arc<Console>>, keep: usize) {
    if all.len() <= keep {
        return;
    }
    let hard = all.len() > 8 * keep;
    let mut idle: Vec<(u64, AttemptId)> = all
        .iter()
        .filter(|(_, c)| Arc::strong_count(c) == 1 && is_clean(c))
        .filter(|(_, c)| hard || c.standing.borrow().ended || c.standing.borrow().len == 0)
        .map(|(id, c)| (c.touched.load(Ordering::Relaxed), *id))
        .collect();
    idle.sort_unstable();
    idle.truncate(all.len() - keep * 3 / 4);
    for (_, id) in idle {
        all.remove(&id);
    }
}

/// Closes the files of the longest unused consoles; they are opened again when they are wanted.
fn close_files(all: &HashMap<AttemptId, Arc<Console>>, keep: usize, but: AttemptId) {
    let mut open: Vec<&Arc<Console>> = all.values().filter(|c| c.has_files()).collect();
    if open.len() <= keep {
        return;
    }
    open.sort_unstable_by_key(|c| c.touched.load(Ordering::Relaxed));
    let close = open.len() - keep * 3 / 4;
    open.into_iter()
        .filter(|c| c.attempt != but && is_clean(c))
        .take(close)
        .for_each(|c| c.close_files());
}
