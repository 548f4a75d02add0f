//! The contract between a worker and the way steps run (DESIGN §8).
//!
//! Life of a session: `Executor::open` once per attempt (slow things, pull and network, happen there and tell `Progress`);
//! then for each step in order `start`, `wait`; `signal` may come at any time from another task, also before `start` or
//! after the end, and is then harmless; `close` last, once, also after an error, and is safe to call twice. Dropping the
//! future of `wait` leaves the step running; `wait` may be called again. Dropping a session that has a handle leaves all
//! of it running, to be found again by `recover`. `sweep` runs at agent start and removes what an earlier
//! agent of the same id left, but for what is named to it.
//!
//! **Invariant:** every byte a step writes is in the spool before `wait` answers, and no process of a step outlives `wait`
//! of that step (but what it is to keep), `close` of its session, the end of its lease, or `sweep`.

mod command;
mod detect;
pub mod docker;
mod ending;
mod output;
pub mod process;
pub mod scripted;
mod shimmed;

pub use detect::detect;

use crate::spool::Spool;
use async_trait::async_trait;
use domain::plan::{Command, Limits};
use domain::status::ExecutorKind;
use domain::{AttemptId, JobId, StepId, TaskId};
use protocol::Exit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a session is opened with.
#[derive(Clone)]
pub struct SessionSpec {
    /// The task, for names.
    pub task: TaskId,
    /// The job, for names.
    pub job: JobId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Its number, for names.
    pub number: i64,
    /// Slot of the agent, 0-based: networks and warm things belong to it.
    pub slot: usize,
    /// Image, when the plan names one.
    pub image: Option<String>,
    /// Limits of each container.
    pub limits: Limits,
    /// The workspace on this machine: exists, absolute; a step begins there and may write there.
    pub workspace: PathBuf,
    /// Milliseconds between TERM and KILL when a session closes with a step still running.
    pub grace_ms: u64,
    /// Where output goes; the session appends under the stream's name.
    pub spool: Arc<Spool>,
}

/// A step to start.
#[derive(Debug, Clone)]
pub struct StepCommand {
    /// Its id.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub command: Command,
    /// Its whole environment, merged (without `PATH`, `HOME`, `CARACAL_WORKSPACE`, which the executor knows and adds where absent).
    pub env: BTreeMap<String, String>,
    /// Whether what it leaves running lives on until the session closes.
    pub keep: bool,
    /// How long it may run from now, and how many milliseconds that was at first.
    pub limit: Option<(Duration, i64)>,
    /// Until when it may run without further word, since boot.
    pub lease: Option<Duration>,
}

/// Enough to find a session again after the agent was restarted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// Which executor made it.
    pub kind: ExecutorKind,
    /// Its own words.
    pub data: serde_json::Value,
}

/// What a worker sends a running step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Term,
    /// End: the whole tree.
    Kill,
}

/// Why something could not be run: one sentence that says what and why, for the step's `error`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// The plan or its surroundings are wrong: unknown image, no such command.
    #[error("{0}")]
    Refused(String),
    /// The engine cannot be reached or went away.
    #[error("{0}")]
    EngineGone(String),
    /// This machine is at fault: disk full, permissions.
    #[error("{0}")]
    Machine(String),
}

/// Tells what set-up does; its text is the output of the set-up step.
pub trait Progress: Send + Sync {
    /// One piece of output, with its own newlines.
    fn say(&self, text: &str);
}

/// A way of running steps.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Which it is.
    fn kind(&self) -> ExecutorKind;
    /// Makes a session ready for its first step.
    ///
    /// # Errors
    /// When it cannot be made ready; nothing is left behind then.
    async fn open(&self, spec: SessionSpec, progress: &dyn Progress) -> Result<Box<dyn Session>, ExecError>;
    /// Finds a session again; `None` when nothing of it is left. The first `base` bytes of its spool came before its
    /// first step.
    ///
    /// # Errors
    /// When that cannot be told now.
    async fn recover(
        &self,
        handle: &Handle,
        spec: SessionSpec,
        base: u64,
    ) -> Result<Option<Box<dyn Session>>, ExecError>;
    /// Removes what earlier sessions of this agent left, but for these; answers how many things it removed.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn sweep(&self, kept: &[Handle]) -> Result<usize, ExecError>;
    /// Whether it can take work now; the sentence says why not.
    ///
    /// # Errors
    /// The reason it cannot.
    async fn ready(&self) -> Result<(), ExecError>;
    /// Slots that have something ready for a job with this image.
    fn ready_slots(&self, _image: Option<&str>) -> Vec<usize> {
        Vec::new()
    }
    /// A slot is free and its workspace empty: makes ready for its next job what it last needed; where it had none since the
    /// agent's start, what its first will need, most likely. Best effort.
    async fn rest(&self, _slot: usize, _workspace: PathBuf) {}
    /// Makes what containers left in a workspace removable by the agent: on an engine of root, a step's files may be
    /// root's while the agent is not. Does nothing where that cannot be; best effort.
    async fn release(&self, _workspace: &std::path::Path) {}
    /// The agent goes: waits for removals under way and removes what is kept between sessions. Called last, once.
    async fn retire(&self) {}
}

/// One attempt's place to run steps in.
#[async_trait]
pub trait Session: Send + Sync {
    /// To be stored, for `recover`; `None` when it cannot be found again.
    fn handle(&self) -> Option<Handle>;
    /// After `recover`: takes up the step that an earlier agent gave, whose output begins at offset `from` of the spool;
    /// `false` when it never began and may be started.
    ///
    /// # Errors
    /// When that cannot be told, or what ran of it is gone.
    async fn resume(&self, step: StepCommand, from: u64) -> Result<bool, ExecError>;
    /// Steps may run until then (since boot) without further word; the agent renews this with its lease.
    async fn lease(&self, _until: Duration) {}
    /// Starts a step; output is attached before its first instruction.
    ///
    /// # Errors
    /// When it could not be started; the session may go on with the next step.
    async fn start(&self, step: StepCommand) -> Result<(), ExecError>;
    /// Waits for the step's end; its output is whole in the spool when this answers. Timeouts and aborts are the worker's
    /// to judge: here they are `Signalled` or `Exited`.
    ///
    /// # Errors
    /// When the engine went away under it.
    async fn wait(&self) -> Result<Exit, ExecError>;
    /// Signals the running step.
    async fn signal(&self, signal: Signal);
    /// Ends what runs, removes all that is the session's. Slow removal may go on behind the answer.
    async fn close(&self);
}
