//! A shim among this machine's processes: there before a step and after it, so that no step need wait for one.
//!
//! **Invariant:** a free one has no job and nothing it began lives; one that is let go with a job goes on without us.

use crate::executor::ExecError;
use crate::executor::shimmed::{Shim, Shims};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Most that wait for a job at a time; each takes less than 1 MB.
const FREE: usize = 8;
/// How long one may take to call after its start.
const CALL: Duration = Duration::from_secs(10);

/// A shim and its process.
pub(super) struct Supervisor {
    pub shim: Shim,
    pub pid: u32,
}

/// Those that wait for a job.
pub(super) struct Supervisors {
    pub shims: Shims,
    free: Mutex<Vec<Supervisor>>,
    /// Those that are being made or ended behind somebody's back.
    tasks: TaskTracker,
    closed: AtomicBool,
}

impl Supervisors {
    pub fn new(shims: Shims) -> Self {
        Self {
            shims,
            free: Mutex::default(),
            tasks: TaskTracker::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// One that is ready for a job.
    ///
    /// # Errors
    /// When this machine cannot make one.
    pub async fn take(self: &Arc<Self>) -> Result<Supervisor, ExecError> {
        loop {
            let found = {
                let mut free = self.free();
                // Ended by somebody while they waited.
                for dead in free.extract_if(.., |s| !s.shim.up()) {
                    dead.shim.remove();
                }
                let found = free.pop();
                if free.is_empty() {
                    // Made behind this one, so that the next finds it waiting.
                    let all = self.clone();
                    self.tasks.spawn(async move {
                        if let Ok(made) = all.make().await {
                            all.give_back(made);
                        }
                    });
                }
                found
            };
            match found {
                Some(found) if found.shim.up() => return Ok(found),
                // Ended by somebody while it waited.
                Some(dead) => dead.shim.remove(),
                None => return self.made().await,
            }
        }
    }

    /// A new one, made on a task of its own: a caller that goes away meanwhile must not leave one that nobody knows.
    async fn made(self: &Arc<Self>) -> Result<Supervisor, ExecError> {
        let all = self.clone();
        let (tell, made) = oneshot::channel();
        self.tasks.spawn(async move {
            if let Err(Ok(unwanted)) = tell.send(all.make().await) {
                all.give_back(unwanted);
            }
        });
        let gone = |_| Err(ExecError::Machine("The steps' shim could not be made.".into()));
        made.await.unwrap_or_else(gone)
    }

    async fn make(&self) -> Result<Supervisor, ExecError> {
        let program = self.shims.program();
        let failed = |e: std::io::Error| {
            ExecError::Machine(format!(
                "The steps' shim {} could not be started: {e}.",
                program.display()
            ))
        };
        let shim = self.shims.make(false).map_err(failed)?;
        let child = Command::new(program)
            .env_clear()
            .current_dir(shim.door())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(e) => {
                shim.remove();
                return Err(failed(e));
            }
        };
        let pid = child.id().unwrap_or_default();
        tokio::spawn(async move { child.wait().await });
        if timeout(CALL, shim.met()).await.is_err() {
            shim.remove();
            return Err(failed(std::io::ErrorKind::TimedOut.into()));
        }
        Ok(Supervisor { shim, pid })
    }

    /// Keeps one for the next job.
    pub fn give_back(&self, one: Supervisor) {
        let one = {
            let mut free = self.free();
            if free.len() < FREE && !self.closed.load(Ordering::Acquire) {
                free.push(one);
                return;
            }
            one
        };
        self.tasks.spawn(one.shim.dismiss());
    }

    /// Ends those that are free, and those that still become so.
    pub async fn dismiss(&self) {
        self.closed.store(true, Ordering::Release);
        let free = std::mem::take(&mut *self.free());
        futures::future::join_all(free.into_iter().map(|s| s.shim.dismiss())).await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn free(&self) -> MutexGuard<'_, Vec<Supervisor>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn one_that_nobody_waits_for_any_more_is_free_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let all = Arc::new(Supervisors::new(Shims::open(dir.path().into()).unwrap()));
        // Its first poll begins the making, and then the caller is gone.
        assert!(all.take().now_or_never().is_none(), "it was there already");
        let both = timeout(CALL, async {
            while all.free().len() < 2 {
                tokio::task::yield_now().await;
            }
        });
        assert!(both.await.is_ok(), "nobody knows of it");
        let homes = || {
            std::fs::read_dir(dir.path())
                .unwrap()
                .flatten()
                .filter(|e| e.path().is_dir())
                .count()
        };
        assert_eq!(
            homes(),
            2,
            "the one that was made for the caller, and the one behind it"
        );
        all.dismiss().await;
        assert_eq!(homes(), 0);
    }
}
