//! Steps as processes of this machine (DESIGN §10), each below a shim.
//!
//! **Invariant:** nothing a step began outlives it or its session; what runs when the agent dies goes on, and is found
//! again; a step sees only what [`available`] fences it to, and runs as the configured user where the agent is root.

mod landlock;
mod scratch;
mod session;
mod supervisor;
mod tree;
mod user;

pub use landlock::available;

use super::shimmed::Shims;
use super::{ExecError, Executor, Handle, Progress, Session, SessionSpec};
use async_trait::async_trait;
use domain::status::ExecutorKind;
use scratch::Scratch;
use session::{Kept, ProcessSession};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use supervisor::Supervisors;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// How long the removal of scratch folders may take when the agent goes.
const RETIRING: Duration = Duration::from_secs(5);

/// What it is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its shims live.
    pub shims: PathBuf,
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
    supervisors: Arc<Supervisors>,
    removals: TaskTracker,
    /// Numbers the folders that wait for their removal.
    aside: AtomicU64,
}

impl ProcessExecutor {
    /// An executor. Blocking: it lays out the shim's program.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let supervisors = Arc::new(Supervisors::new(Shims::open(settings.shims.clone())?));
        Ok(Self(Arc::new(Shared {
            settings,
            supervisors,
            removals: TaskTracker::new(),
            aside: AtomicU64::new(u64::from(std::process::id()) << 32),
        })))
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
        let scratch = Scratch::make(&spec.workspace)
            .map_err(|e| ExecError::Machine(format!("The steps' scratch folder could not be made: {e}.")))?;
        let supervisor = self.0.supervisors.take().await?;
        let session = ProcessSession::new(self.0.clone(), spec, scratch, user, supervisor);
        Ok(Box::new(session?))
    }

    async fn recover(
        &self,
        handle: &Handle,
        spec: SessionSpec,
        base: u64,
    ) -> Result<Option<Box<dyn Session>>, ExecError> {
        let Ok(kept) = serde_json::from_value::<Kept>(handle.data.clone()) else {
            return Ok(None);
        };
        let user = self.user(&spec)?;
        let found = ProcessSession::find(self.0.clone(), spec, user, kept, base).await;
        let found = found.map_err(|e| ExecError::Machine(format!("The steps' shim could not be found again: {e}.")))?;
        Ok(found.map(|session| Box::new(session) as Box<dyn Session>))
    }

    async fn sweep(&self, kept: &[Handle]) -> Result<usize, ExecError> {
        let ours = kept.iter().filter(|h| h.kind == ExecutorKind::Process);
        let kept = ours.filter_map(|h| serde_json::from_value::<Kept>(h.data.clone()).ok());
        let homes = kept.map(|k| k.place.home().to_owned()).collect();
        Ok(self.0.supervisors.shims.sweep(&homes).await)
    }

    async fn ready(&self) -> Result<(), ExecError> {
        let program = self.0.supervisors.shims.program();
        if program.exists() {
            return Ok(());
        }
        Err(ExecError::Machine(format!(
            "The program {} is not there any more.",
            program.display()
        )))
    }

    async fn retire(&self) {
        self.0.supervisors.dismiss().await;
        self.0.removals.close();
        let _ = timeout(RETIRING, self.0.removals.wait()).await;
    }
}
