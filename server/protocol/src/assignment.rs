//! What an agent is given to run: one attempt of one job, complete.
//!
//! **Invariant:** an assignment needs nothing else from the server to run to its end; the environment is already merged
//! and documented variables are in it.

use domain::plan::{Command, Limits};
use domain::status::{ExecutorKind, StepKind};
use domain::{JobId, StepId, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::Fence;

/// One attempt to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Attempt and epoch; everything said about it carries them.
    pub fence: Fence,
    /// The task, for names and labels.
    pub task: TaskId,
    /// The job, for names and labels.
    pub job: JobId,
    /// Number of the attempt, for names.
    pub number: i64,
    /// The plan's executor; the agent's default when `None`.
    pub executor: Option<ExecutorKind>,
    /// Image; the agent's default image when `None`.
    pub image: Option<String>,
    /// Limits of each container.
    pub limits: Limits,
    /// Environment of every step (plan and job level and the documented `CARACAL_*`), without the step's own.
    pub env: BTreeMap<String, String>,
    /// What to check out, if anything. It is the set-up step of kind `setup` whose name is `checkout`.
    pub checkout: Option<CheckoutSpec>,
    /// All steps in order: set-up first, then the plan's. The first set-up step, `prepare`, covers workspace and image.
    pub steps: Vec<StepSpec>,
    /// Milliseconds the whole attempt may take from its assignment on.
    pub timeout_ms: Option<i64>,
    /// Milliseconds between TERM and KILL.
    pub grace_ms: i64,
}

/// What to check out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutSpec {
    /// URL or path, already checked; the agent checks again.
    pub url: String,
    /// Branch the revision is on; `None` for the default branch.
    pub branch: Option<String>,
    /// Exact commit, 40 or 64 hex digits.
    pub revision: String,
    /// Whether submodules are wanted.
    pub submodules: bool,
    /// Whether local paths, `file:` and `http:` are allowed.
    pub allow_local: bool,
    /// Whether what proves who asks comes in a message of its own ([`crate::ToAgent::Proof`]), before this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proved: bool,
}

/// One step to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Its id; exists since the task does.
    pub id: StepId,
    /// `setup` or `step`.
    pub kind: StepKind,
    /// Its name.
    pub name: String,
    /// What it runs; `None` for set-up steps.
    pub command: Option<Command>,
    /// Its own environment, over the job's.
    pub env: BTreeMap<String, String>,
    /// Why it is not to run, when its `when` does not hold: the agent reports it skipped in its turn.
    pub skip: Option<String>,
    /// Whether the job goes on and may pass when it fails.
    pub allow_failure: bool,
    /// Whether what it leaves running lives on until the attempt ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Milliseconds it may take.
    pub timeout_ms: Option<i64>,
}
