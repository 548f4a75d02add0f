//! What this agent holds and the server does not have for good yet, over all sessions.
//!
//! **Invariant:** an attempt leaves the outbox only when it is wholly told and stored, or when the server says forget.

mod gaps;
mod held;
mod journal;

pub use held::{Held, Next};
pub use journal::Kept;

use journal::{Journal, Line};
use protocol::{Assignment, Fence, Have};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// All attempts that are running or not wholly told.
pub struct Outbox {
    folder: PathBuf,
    journal: Arc<Journal>,
    bell: Arc<Notify>,
    settled: Notify,
    removals: TaskTracker,
    held: Mutex<All>,
}

#[derive(Default)]
struct All {
    held: BTreeMap<Fence, Arc<Held>>,
    /// The last that were held, so that a late repetition of their assignment runs nothing twice.
    gone: VecDeque<Fence>,
}

/// An attempt that an earlier run of this agent left running.
pub type Left = (Arc<Held>, Kept);

/// How many of those that were held are remembered.
const GONE: usize = 4096;

impl Outbox {
    /// Opens the outbox below `folder`, with what an earlier run held; answers too what of it had not ended. Blocking.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<(Self, Vec<Left>)> {
        let spools = folder.join("spool");
        DirBuilder::new().mode(0o700).recursive(true).create(&spools)?;
        let (journal, kept) = Journal::open(&folder.join("journal"))?;
        let (journal, bell) = (Arc::new(journal), Arc::new(Notify::new()));
        let (mut held, mut running) = (BTreeMap::new(), Vec::new());
        for (fence, kept) in kept {
            match Held::recover(fence, &spool(&spools, fence), bell.clone(), journal.clone(), &kept) {
                Ok(one) => {
                    let one = Arc::new(one);
                    held.insert(fence, one.clone());
                    if one.running() {
                        running.push((one, kept));
                    }
                }
                Err(e) => {
                    tracing::error!(
                        "The output of attempt {} cannot be read, and what is left of it is removed: {e}",
                        fence.attempt
                    );
                    journal.gone(fence, false);
                }
            }
        }
        for entry in std::fs::read_dir(&spools)? {
            let path = entry?.path();
            if !held.keys().any(|fence| spool(&spools, *fence) == path) {
                remove(&path)?;
            }
        }
        let outbox = Self {
            folder: spools,
            journal,
            bell,
            settled: Notify::new(),
            removals: TaskTracker::new(),
            held: Mutex::new(All {
                held,
                gone: VecDeque::new(),
            }),
        };
        Ok((outbox, running))
    }

    /// Takes on an attempt, to be run on this slot; `None` when it is held already, or was.
    pub fn take(&self, assignment: &Assignment, slot: usize) -> Option<Arc<Held>> {
        let fence = assignment.fence;
        let mut all = self.lock();
        if all.held.contains_key(&fence) || all.gone.contains(&fence) {
            return None;
        }
        self.journal.add(&Line::Take {
            fence,
            slot,
            at: shim::since_boot(),
            assignment: Cow::Borrowed(assignment),
        });
        let held = Held::new(
            fence,
            &spool(&self.folder, fence),
            self.bell.clone(),
            self.journal.clone(),
        );
        let held = Arc::new(held);
        all.held.insert(fence, held.clone());
        Some(held)
    }

    /// The attempt under this fence, if held.
    #[must_use]
    pub fn get(&self, fence: Fence) -> Option<Arc<Held>> {
        self.lock().held.get(&fence).cloned()
    }

    /// All that is held, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Held>> {
        self.lock().held.values().cloned().collect()
    }

    /// What is named at connect.
    #[must_use]
    pub fn have(&self) -> Vec<Have> {
        self.all().iter().map(|h| h.have()).collect()
    }

    /// Those that run still.
    #[must_use]
    pub fn running(&self) -> Vec<Fence> {
        self.all().iter().filter(|h| h.running()).map(|h| h.fence).collect()
    }

    /// Drops the attempt when it is wholly told.
    pub fn settle(&self, held: &Held) {
        if held.told() {
            self.discard(held.fence);
        }
    }

    /// Drops the attempt, told or not. Its folder goes behind the answer.
    pub fn discard(&self, fence: Fence) {
        let held = {
            let mut all = self.lock();
            let Some(held) = all.remove(fence) else { return };
            self.journal.gone(fence, all.held.is_empty());
            held
        };
        self.bell.notify_one();
        self.settled.notify_waiters();
        self.clear(held);
    }

    /// Removes the folder of what is not held any more, behind the answer.
    pub fn clear(&self, held: Arc<Held>) {
        self.removals.spawn_blocking(move || {
            if let Err(e) = held.remove() {
                tracing::warn!("The spool {} cannot be removed: {e}", held.spool.folder().display());
            }
        });
    }

    /// Waits until there may be something new to send. For one listener.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }

    /// Waits until nothing is held but what runs.
    pub async fn told(&self) {
        loop {
            let settled = self.settled.notified();
            if self.lock().held.values().all(|h| h.running()) {
                return;
            }
            settled.await;
        }
    }

    /// Waits until nothing is held.
    pub async fn empty(&self) {
        loop {
            let settled = self.settled.notified();
            if self.lock().held.is_empty() {
                return;
            }
            settled.await;
        }
    }

    /// Waits until the folders of all that was discarded are gone. Called last.
    pub async fn close(&self) {
        self.removals.close();
        self.removals.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn remove(&mut self, fence: Fence) -> Option<Arc<Held>> {
        let held = self.held.remove(&fence)?;
        if self.gone.len() == GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(fence);
        Some(held)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    }
}

/// Where an attempt's output lies.
fn spool(folder: &Path, fence: Fence) -> PathBuf {
    folder.join(format!("{}-{}", fence.attempt, fence.epoch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use domain::console::view::Stream;
    use protocol::AttemptEvent;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn end(held: &Held) {
        held.note(AttemptEvent::Ended {
            aborted: false,
            error: None,
            length: held.spool.len(),
            digest: held.spool.digest(),
            at: clock::now(),
        });
    }

    fn assignment(attempt: i64) -> Assignment {
        serde_json::from_value(serde_json::json!({
            "fence": { "attempt": attempt, "epoch": 1 }, "task": 1, "job": 1, "number": 1, "limits": {}, "env": {},
            "steps": [], "grace_ms": 5,
        }))
        .unwrap()
    }

    /// The server has more than a window of it, not on its disk yet, and so says nothing more by itself.
    #[test]
    fn a_killed_agent_goes_on_behind_what_the_server_has() {
        let dir = tempfile::tempdir().unwrap();
        let (outbox, _) = Outbox::open(dir.path()).unwrap();
        let held = outbox.take(&assignment(1), 0).unwrap();
        let size = usize::try_from(held::WINDOW).unwrap() + 100;
        held.spool
            .append(Stream::Stdout, clock::now(), &vec![b'x'; size])
            .unwrap();
        end(&held);
        drop((outbox, held));
        let (outbox, _) = Outbox::open(dir.path()).unwrap();
        let held = outbox.all().remove(0);
        held.restart();
        held.rewind(held::WINDOW + 50);
        let Next::Frame(bytes) = held.next(tokio::time::Instant::now()) else {
            panic!("nothing is sent, for ever")
        };
        let frame = protocol::OutputFrame::decode(bytes).unwrap();
        assert_eq!((frame.offset, frame.bytes.len()), (held::WINDOW + 50, 50));
    }

    #[tokio::test]
    async fn what_was_held_is_held_after_a_restart_ended_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let spools = dir.path().join("spool");
        let (outbox, found) = Outbox::open(dir.path()).unwrap();
        assert!(found.is_empty());
        let [quiet, loud, cut] = [1, 2, 3].map(|a| outbox.take(&assignment(a), 0).unwrap());
        for spool in [&loud.spool, &cut.spool] {
            spool.append(Stream::Stdout, clock::now(), b"words\n").unwrap();
        }
        end(&quiet);
        end(&loud);
        drop((outbox, quiet, loud, cut));
        std::fs::create_dir(spools.join("4-1")).unwrap();
        std::fs::write(spools.join("5-1.report"), "an earlier version's").unwrap();

        let (outbox, found) = Outbox::open(dir.path()).unwrap();
        assert_eq!(names(&spools), ["2-1", "3-1"], "what nobody knows is gone");
        let running: Vec<_> = found
            .iter()
            .map(|(h, k)| (h.fence.attempt.0, k.assignment.fence))
            .collect();
        assert_eq!(running, [(3, outbox.all()[2].fence)]);
        let have: Vec<_> = outbox
            .all()
            .iter()
            .map(|h| (h.fence.attempt.0, h.spool.len(), h.running()))
            .collect();
        assert_eq!(have, [(1, 0, false), (2, 6, false), (3, 6, true)]);
        end(&outbox.all()[2]);
        for held in outbox.all() {
            assert!(!held.told());
            held.acknowledge(1);
            outbox.settle(&held);
        }
        outbox.close().await;
        assert!(names(&spools).is_empty(), "what is told leaves nothing");
        assert_eq!(std::fs::metadata(dir.path().join("journal")).unwrap().len(), 0);
    }
}
