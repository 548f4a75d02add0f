//! The worker: which attempts run on which slot, and the end of each.
//!
//! **Invariant:** an attempt runs at most once per fence; a slot's workspace is empty when an attempt gets it, and its
//! slot is free again before its end is told.

mod attempt;
mod checkout;
mod command;
mod halt;
mod setup;
mod workspace;

pub use halt::{Halt, Why};

use crate::executor::Executor;
use crate::outbox::Outbox;
use attempt::Attempt;
use domain::plan::Limits;
use protocol::{Assignment, Fence};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::task::TaskTracker;
use workspace::Workspaces;

/// Takes assignments and runs them.
pub struct Worker {
    outbox: Arc<Outbox>,
    executors: Vec<Arc<dyn Executor>>,
    defaults: Limits,
    workspaces: Arc<Workspaces>,
    running: Mutex<Running>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Running {
    closed: bool,
    slots: BTreeSet<usize>,
    halts: BTreeMap<Fence, Arc<Halt>>,
}

impl Worker {
    /// A worker whose workspaces lie below `folder`; the first executor is the default. Blocking: it clears what an
    /// earlier run left there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(
        folder: PathBuf,
        outbox: Arc<Outbox>,
        executors: Vec<Arc<dyn Executor>>,
        defaults: Limits,
    ) -> std::io::Result<Self> {
        let tasks = TaskTracker::new();
        let workspaces = Arc::new(Workspaces::open(folder, tasks.clone())?);
        Ok(Self {
            outbox,
            executors,
            defaults,
            workspaces,
            running: Mutex::default(),
            tasks,
        })
    }

    /// Runs an assignment; one that is held already is running, or wholly run, and is let be.
    pub fn assign(self: &Arc<Self>, assignment: Assignment) {
        let fence = assignment.fence;
        let halt = Arc::new(Halt::default());
        let (slot, held) = {
            let mut running = self.lock();
            if running.closed {
                return;
            }
            let Some(held) = self.outbox.take(fence) else { return };
            // An older hold on the same attempt is void with this one.
            for (old, halt) in running.halts.iter().filter(|(f, _)| f.attempt == fence.attempt) {
                halt.set(Why::Forgotten);
                self.outbox.discard(*old);
            }
            running.halts.insert(fence, halt.clone());
            let slot = (0..).find(|s| !running.slots.contains(s)).unwrap_or(usize::MAX);
            running.slots.insert(slot);
            (slot, held)
        };
        let kind = assignment.executor.or_else(|| self.executors.first().map(|e| e.kind()));
        let executor = self.executors.iter().find(|e| Some(e.kind()) == kind).cloned();
        let attempt = Attempt::new(
            assignment,
            held.clone(),
            halt.clone(),
            slot,
            executor,
            self.defaults,
            self.workspaces.clone(),
        );
        let worker = self.clone();
        self.tasks.spawn(async move {
            let end = attempt.run().await;
            worker.free(fence, slot);
            if halt.why() == Some(Why::Forgotten) {
                // It may have written again after its folder was removed.
                worker.outbox.clear(held);
            } else {
                end.tell();
            }
        });
    }

    fn free(&self, fence: Fence, slot: usize) {
        let mut running = self.lock();
        running.halts.remove(&fence);
        running.slots.remove(&slot);
    }

    /// Ends an attempt; one that is not running is let be.
    pub fn halt(&self, fence: Fence, why: Why) {
        if let Some(halt) = self.lock().halts.get(&fence) {
            halt.set(why);
        }
    }

    /// Kills an attempt and drops all that is held of it.
    pub fn forget(&self, fence: Fence) {
        self.halt(fence, Why::Forgotten);
        self.outbox.discard(fence);
    }

    /// Ends all that runs.
    pub fn halt_all(&self, why: &Why) {
        for halt in self.lock().halts.values() {
            halt.set(why.clone());
        }
    }

    /// Takes no more work and ends what runs.
    pub fn close(&self) {
        self.lock().closed = true;
        self.tasks.close();
        self.halt_all(&Why::Shutdown);
    }

    /// Waits until nothing runs and all workspaces are cleared; to be called after `close`.
    pub async fn idle(&self) {
        self.tasks.wait().await;
    }

    /// Lets the executors clear away what they keep between sessions.
    pub async fn retire(&self) {
        for executor in &self.executors {
            executor.retire().await;
        }
    }

    /// Removes the workspaces an earlier run left, behind the answer.
    pub fn sweep(&self) {
        self.workspaces.sweep(self.executors.first().cloned());
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
