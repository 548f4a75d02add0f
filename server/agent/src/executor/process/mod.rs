//! Steps as processes of this machine (DESIGN §10), each below a runner of its own: `caracal exec-step`.
//!
//! **Invariant:** nothing a step began outlives it, its session, or the agent; it sees only what [`available`] fences it
//! to, and runs as the configured user where the agent is root.

mod confine;
mod exec_step;
mod job;
mod pipes;
mod runner;
mod scratch;
mod session;
mod tree;
mod user;

pub use confine::available;
pub use exec_step::exec_step;

use super::{ExecError, Executor, Handle, Progress, Session, SessionSpec};
use async_trait::async_trait;
use domain::status::ExecutorKind;
use runner::Runner;
use scratch::Scratch;
use session::ProcessSession;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// How long the removal of scratch folders may take when the agent goes.
const RETIRING: Duration = Duration::from_secs(5);

/// Most runners that wait for a job at a time; each takes about 2 MB.
const FREE: usize = 8;

/// What it is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program that has `exec-step`.
    pub exe: PathBuf,
    /// User of steps (`name`, `uid` or `uid:gid`), heeded when the agent is root.
    pub user: Option<String>,
    /// Folders that steps may read beside the system's.
    pub readable: Vec<PathBuf>,
}

/// The executor.
pub struct ProcessExecutor(Arc<Shared>);

/// What all sessions share.
struct Shared {
    settings: Settings,
    /// Runners without a job.
    free: Mutex<Vec<Runner>>,
    removals: TaskTracker,
    /// Numbers the folders that wait for their removal.
    aside: AtomicU64,
}

impl Shared {
    /// A runner, and whether it is a new one.
    fn runner(&self) -> Result<(Runner, bool), ExecError> {
        match self.free().pop() {
            Some(runner) => Ok((runner, false)),
            None => Ok((Runner::spawn(&self.settings.exe)?, true)),
        }
    }

    /// Keeps a runner for the next step.
    fn keep(&self, runner: Option<Runner>) {
        let mut free = self.free();
        if free.len() < FREE {
            free.extend(runner);
        }
    }

    /// Makes a runner behind a session that is being opened, so that its first step finds it waiting.
    fn prepare(self: &Arc<Self>) {
        if self.free().is_empty() {
            let shared = self.clone();
            tokio::spawn(async move { shared.keep(Runner::spawn(&shared.settings.exe).ok()) });
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Runner>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessExecutor {
    /// An executor.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            settings,
            free: Mutex::default(),
            removals: TaskTracker::new(),
            aside: AtomicU64::new(u64::from(std::process::id()) << 32),
        }))
    }

    /// Whom steps run as, where that is not who the agent is.
    fn user(&self, spec: &SessionSpec) -> Result<Option<(u32, u32)>, ExecError> {
        let Some(name) = self
            .0
            .settings
            .user
            .as_deref()
            .filter(|_| rustix::process::geteuid().is_root())
        else {
            return Ok(None);
        };
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = user::find(name, &passwd).map_err(ExecError::Machine)?;
        match user::barred(&spec.workspace, ids) {
            None => Ok(Some(ids)),
            Some(folder) => Err(ExecError::Machine(format!(
                "The user {name}, whom steps are to run as, cannot pass through {}: give others the right to (chmod o+x).",
                folder.display()
            ))),
        }
    }
}

#[async_trait]
impl Executor for ProcessExecutor {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::Process
    }

    async fn open(&self, spec: SessionSpec, _progress: &dyn Progress) -> Result<Box<dyn Session>, ExecError> {
        let user = self.user(&spec)?;
        self.0.prepare();
        let scratch = Scratch::make(&spec.workspace)
            .map_err(|e| ExecError::Machine(format!("The steps' scratch folder could not be made: {e}.")))?;
        Ok(Box::new(ProcessSession::new(self.0.clone(), spec, scratch, user)))
    }

    async fn recover(&self, _handle: &Handle, _spec: SessionSpec) -> Result<Option<Box<dyn Session>>, ExecError> {
        // A runner ends its step when the agent goes.
        Ok(None)
    }

    async fn sweep(&self) -> Result<usize, ExecError> {
        // The runners of an earlier agent ended with it; its scratch folders lie among the workspaces and go with them.
        Ok(0)
    }

    async fn ready(&self) -> Result<(), ExecError> {
        let exe = &self.0.settings.exe;
        if exe.exists() {
            return Ok(());
        }
        Err(ExecError::Machine(format!(
            "The program {} is not there any more.",
            exe.display()
        )))
    }

    async fn retire(&self) {
        self.0.free().clear();
        self.0.removals.close();
        let _ = timeout(RETIRING, self.0.removals.wait()).await;
    }
}
