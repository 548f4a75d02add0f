//! What an agent is started with.
//!
//! **Invariant:** nothing in the agent reads settings from anywhere else.

use crate::executor::Executor;
use domain::AgentId;
use domain::label::Labels;
use domain::plan::Limits;
use std::path::PathBuf;
use std::sync::Arc;

/// Which executor an agent offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Docker where an engine answers at start, else processes.
    #[default]
    Auto,
    /// Docker; work waits while there is no engine.
    Docker,
    /// Processes of this machine.
    Process,
    /// The tests' double.
    Scripted,
}

/// The settings of an agent.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's socket, as `ws://127.0.0.1:7420/agent` or `wss://ci.example.org/agent`.
    pub server: String,
    /// A file of certificate authorities beside those of the system.
    pub ca: Option<PathBuf>,
    /// Which agent it is.
    pub agent: AgentId,
    /// Its proof.
    pub credential: String,
    /// The data folder; the agent uses `agent/` below it.
    pub data: PathBuf,
    /// Which executor.
    pub executor: Choice,
    /// Jobs at once.
    pub slots: u32,
    /// Labels beside those of the machine; they win.
    pub labels: Labels,
    /// Whether slots keep a container ready for the next job.
    pub warm: bool,
    /// Image of jobs that name none.
    pub default_image: String,
    /// Limits of jobs that name none.
    pub limits: Limits,
    /// User that process steps run as, when the agent is root.
    pub step_user: Option<String>,
    /// Version of the program.
    pub version: String,
}

/// The ways of running steps this agent offers.
#[derive(Clone, Default)]
pub struct Executors {
    /// The executors, the default first.
    pub list: Vec<Arc<dyn Executor>>,
    /// The engine with its version, as `Docker 20.10.24`.
    pub engine: Option<String>,
    /// Why the engine cannot be used now.
    pub engine_error: Option<String>,
    /// Whether process steps are confined by Landlock.
    pub landlock: bool,
}

impl Executors {
    /// One executor alone.
    #[must_use]
    pub fn only(executor: Arc<dyn Executor>) -> Self {
        Self {
            list: vec![executor],
            ..Self::default()
        }
    }
}
