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
            let found = match path.file_name().and_then(|n| n.to_str()).and_then(fence_of) {
                Some(fence) => Held::recover(fence, &path, bell.clone()),
                None => Ok(None),
            };
            match found {
                Ok(Some(one)) => {
                    held.insert(one.fence, Arc::new(one));
                }
                Ok(None) => std::fs::remove_dir_all(&path)?,
                Err(e) => {
                    tracing::warn!(
                        "The left-over output in {} cannot be read and is removed: {e}",
                        path.display()
                    );
                    std::fs::remove_dir_all(&path)?;
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
            if let Err(e) = held.spool.remove() {
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

fn fence_of(name: &str) -> Option<Fence> {
    let (attempt, epoch) = name.split_once('-')?;
    Some(Fence {
        attempt: AttemptId(attempt.parse().ok()?),
        epoch: epoch.parse().ok()?,
    })
}
