//! What this agent holds and the server does not have for good yet, over all sessions.
//!
//! **Invariant:** an attempt leaves the outbox only when it is wholly told and stored, or when the server says forget.

mod held;

pub use held::{Held, Next};

use domain::AttemptId;
use protocol::{Fence, Have};
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

/// How many of those that were held are remembered.
const GONE: usize = 4096;

impl Outbox {
    /// Opens the outbox below `folder`, with the ended attempts an earlier run left untold; what it left unfinished is
    /// removed. Blocking.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
        let bell = Arc::new(Notify::new());
        let mut held = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            // An attempt's folder, or the report that stands for the folder it had no need of.
            let folder = match path.extension() {
                Some(extension) if extension == "report" => path.with_extension(""),
                _ => path.clone(),
            };
            let found = match folder.file_name().and_then(|n| n.to_str()).and_then(fence_of) {
                // Its folder and a report beside it are one attempt's.
                Some(fence) if held.contains_key(&fence) => continue,
                Some(fence) => Held::recover(fence, &folder, bell.clone()),
                None => Ok(None),
            };
            match found {
                Ok(Some(one)) => {
                    held.insert(one.fence, Arc::new(one));
                }
                Ok(None) => remove(&path)?,
                Err(e) => {
                    tracing::warn!(
                        "The left-over output in {} cannot be read and is removed: {e}",
                        path.display()
                    );
                    remove(&path)?;
                }
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            bell,
            settled: Notify::new(),
            removals: TaskTracker::new(),
            held: Mutex::new(All {
                held,
                gone: VecDeque::new(),
            }),
        })
    }

    /// Takes on an attempt; `None` when it is held already, or was.
    pub fn take(&self, fence: Fence) -> Option<Arc<Held>> {
        let mut all = self.lock();
        if all.held.contains_key(&fence) || all.gone.contains(&fence) {
            return None;
        }
        let folder = self.folder.join(format!("{}-{}", fence.attempt, fence.epoch));
        let held = Arc::new(Held::new(fence, &folder, self.bell.clone()));
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
        let Some(held) = self.lock().remove(fence) else { return };
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

fn fence_of(name: &str) -> Option<Fence> {
    let (attempt, epoch) = name.split_once('-')?;
    Some(Fence {
        attempt: AttemptId(attempt.parse().ok()?),
        epoch: epoch.parse().ok()?,
    })
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

    #[tokio::test]
    async fn what_had_ended_is_told_after_a_restart_with_output_and_without() {
        let dir = tempfile::tempdir().unwrap();
        let fence = |attempt| Fence {
            attempt: AttemptId(attempt),
            epoch: 1,
        };
        let outbox = Outbox::open(dir.path()).unwrap();
        let [quiet, loud, cut] = [1, 2, 3].map(|a| outbox.take(fence(a)).unwrap());
        for spool in [&loud.spool, &cut.spool] {
            spool.append(Stream::Stdout, clock::now(), b"words\n").unwrap();
        }
        end(&quiet);
        end(&loud);
        drop((outbox, quiet, loud, cut));
        std::fs::write(dir.path().join("4-1.new"), "half a rep").unwrap();
        assert_eq!(names(dir.path()), ["1-1.report", "2-1", "3-1", "4-1.new"]);

        let outbox = Outbox::open(dir.path()).unwrap();
        assert_eq!(names(dir.path()), ["1-1.report", "2-1"], "what had not ended is gone");
        let have: Vec<_> = outbox.all().iter().map(|h| (h.fence, h.spool.len())).collect();
        assert_eq!(have, [(fence(1), 0), (fence(2), 6)]);
        for held in outbox.all() {
            assert!(!held.running() && !held.told());
            held.acknowledge(1);
            outbox.settle(&held);
        }
        outbox.close().await;
        assert!(names(dir.path()).is_empty(), "what is told leaves nothing");
    }
}
