//! The worker: which attempts run on which slot, and the end of each.
//!
//! **Invariant:** an attempt runs at most once per fence; a slot's workspace is empty when an attempt gets it, and its
//! slot is free again before its end is told.

mod attempt;
mod checkout;
mod command;
mod past;
mod proofs;
mod setup;
mod workspace;

use crate::executor::Executor;
use crate::halt::{Cut, Halt, Why};
use crate::outbox::{Held, Left, Outbox};
use attempt::{Attempt, Surroundings};
use domain::plan::Limits;
use domain::status::ExecutorKind;
use past::Past;
use proofs::Proofs;
use protocol::{Assignment, Fence, Proof};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use workspace::Workspaces;

/// Takes assignments and runs them.
pub struct Worker {
    outbox: Arc<Outbox>,
    executors: Vec<Arc<dyn Executor>>,
    defaults: Limits,
    workspaces: Arc<Workspaces>,
    proofs: Arc<Proofs>,
    lease: watch::Receiver<Option<Duration>>,
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
    /// A worker whose workspaces lie below `folder`, and keys in a folder beside it; the first executor is the default. `lease` tells until when steps may
    /// run, since boot. Blocking.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(
        folder: PathBuf,
        outbox: Arc<Outbox>,
        executors: Vec<Arc<dyn Executor>>,
        defaults: Limits,
        lease: watch::Receiver<Option<Duration>>,
    ) -> std::io::Result<Self> {
        let tasks = TaskTracker::new();
        let proofs = Arc::new(Proofs::open(folder.with_file_name("keys"))?);
        let workspaces = Arc::new(Workspaces::open(folder, tasks.clone())?);
        Ok(Self {
            outbox,
            executors,
            defaults,
            workspaces,
            proofs,
            lease,
            running: Mutex::default(),
            tasks,
        })
    }

    /// Runs an assignment; one that is held already is running, or wholly run, and is let be.
    pub fn assign(self: &Arc<Self>, assignment: Assignment) {
        failpoint::reached("agent.assigned");
        let fence = assignment.fence;
        let halt = Arc::new(Halt::default());
        let (slot, held) = {
            let mut running = self.lock();
            if running.closed {
                return;
            }
            let slot = self.slot(&running, &assignment);
            let Some(held) = self.outbox.take(&assignment, slot) else {
                return;
            };
            failpoint::reached("agent.taken");
            // An older hold on the same attempt is void with this one.
            for (old, halt) in running.halts.iter().filter(|(f, _)| f.attempt == fence.attempt) {
                halt.set(Why::Forgotten);
                self.outbox.discard(*old);
            }
            running.halts.insert(fence, halt.clone());
            running.slots.insert(slot);
            (slot, held)
        };
        self.run(assignment, held, halt, slot, Past::none());
    }

    /// A free slot: one that is ready for this job, else the first.
    fn slot(&self, running: &Running, assignment: &Assignment) -> usize {
        let mut free = (0..).filter(|s| !running.slots.contains(s));
        let ready = self.executor(assignment).and_then(|e| {
            let slots = e.ready_slots(assignment.image.as_deref());
            slots.into_iter().find(|s| !running.slots.contains(s))
        });
        ready.or_else(|| free.next()).unwrap_or(usize::MAX)
    }

    /// Takes up what an earlier run of this agent left running.
    pub fn resume(self: &Arc<Self>, left: Vec<Left>) {
        for (held, kept) in left {
            let halt = Arc::new(Halt::default());
            {
                let mut running = self.lock();
                running.halts.insert(held.fence, halt.clone());
                running.slots.insert(kept.slot);
            }
            if let Some(Cut::Halt(why)) = &kept.cut {
                halt.set(why.clone());
            }
            let past = Past::of(&kept);
            self.run(kept.assignment, held, halt, kept.slot, past);
        }
    }

    fn executor(&self, assignment: &Assignment) -> Option<&Arc<dyn Executor>> {
        let kind = assignment.executor.or_else(|| self.executors.first().map(|e| e.kind()));
        self.executors.iter().find(|e| Some(e.kind()) == kind)
    }

    fn run(self: &Arc<Self>, assignment: Assignment, held: Arc<Held>, halt: Arc<Halt>, slot: usize, past: Past) {
        let fence = held.fence;
        let around = Surroundings {
            executor: self.executor(&assignment).cloned(),
            defaults: self.defaults,
            workspaces: self.workspaces.clone(),
            proofs: self.proofs.clone(),
            lease: self.lease.clone(),
        };
        let executor = around.executor.clone();
        let attempt = Attempt::new(assignment, held.clone(), halt.clone(), slot, past, around);
        let worker = self.clone();
        self.tasks.spawn(async move {
            let end = attempt.run().await;
            worker.free(fence, slot);
            if halt.why() == Some(Why::Forgotten) {
                // It may have written again after its folder was removed.
                worker.outbox.clear(held);
            } else if let Some(end) = end {
                end.tell();
            }
            if let Some(executor) = executor {
                worker.rest(slot, executor).await;
            }
        });
    }

    /// Makes a slot ready for the next job, behind the report of the last.
    async fn rest(&self, slot: usize, executor: Arc<dyn Executor>) {
        let workspace = {
            // Held over both: what is given to a job meanwhile is not touched.
            let running = self.lock();
            let free = !running.closed && !running.slots.contains(&slot);
            free.then(|| self.workspaces.make(slot, Some(&executor)))
        };
        if let Some(Ok(workspace)) = workspace {
            executor.rest(slot, workspace).await;
        }
    }

    /// Makes so many slots ready for their first jobs, one after the other, behind the answer.
    pub fn wake(self: &Arc<Self>, slots: usize) {
        let containers = self.executors.iter().find(|e| e.kind() == ExecutorKind::Docker);
        let Some(executor) = containers.cloned() else { return };
        let worker = self.clone();
        self.tasks.spawn(async move {
            for slot in 0..slots {
                worker.rest(slot, executor.clone()).await;
            }
        });
    }

    fn free(&self, fence: Fence, slot: usize) {
        let mut running = self.lock();
        running.halts.remove(&fence);
        running.slots.remove(&slot);
        drop(running);
        self.proofs.forget(fence);
    }

    /// Takes what proves to an attempt's source who asks: of one that runs, or is given next.
    pub fn prove(&self, fence: Fence, proof: Option<Proof>) {
        let running = self.lock().halts.keys().copied().collect();
        self.proofs.take(fence, proof, &running);
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

    /// Takes no more work; what runs goes on.
    pub fn drain(&self) {
        self.lock().closed = true;
        self.tasks.close();
    }

    /// Takes no more work and lets go of what runs: what can go on without this agent does, the rest is ended.
    pub fn close(&self) {
        self.drain();
        self.halt_all(&Why::Detach);
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

    /// Removes the workspaces an earlier run left and nothing runs in, behind the answer.
    pub fn sweep(&self) {
        let kept = self.lock().slots.clone();
        self.workspaces.sweep(self.executors.first().cloned(), &kept);
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
