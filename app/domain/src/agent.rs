//! Agents: what they report and how they are shown.
//!
//! **Invariant:** what an agent reports is hostile data; it never decides its own name, id or rights.

use crate::label::Labels;
use crate::status::{AgentStatus, Availability, ExecutorKind};
use crate::{AgentId, JobId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an agent says of its machine at connect and on change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Facts {
    /// Host name.
    pub hostname: String,
    /// Operating system, as `linux`.
    pub os: String,
    /// Architecture, as Go and Docker name it: `amd64`, `arm64`.
    pub arch: String,
    /// Cores.
    pub cpus: u32,
    /// Memory, bytes.
    pub memory: u64,
    /// Disk of its data folder, bytes.
    pub disk_total: u64,
    /// Free there, bytes.
    pub disk_free: u64,
    /// The engine with its version, as `Docker 20.10.24`; `None` for processes.
    pub engine: Option<String>,
    /// Why the engine cannot be used now, if it cannot.
    pub engine_error: Option<String>,
    /// Executors it offers, the default first.
    pub executors: Vec<ExecutorKind>,
    /// Whether process steps are confined by Landlock.
    pub landlock: bool,
    /// Version of the program.
    pub version: String,
}

/// An agent as the API and the page show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentView {
    /// Its id.
    pub id: AgentId,
    /// Its name; the built-in one is `builtin`.
    pub name: String,
    /// Whether it is heard.
    pub status: AgentStatus,
    /// Whether it takes jobs.
    pub availability: Availability,
    /// The note of a pause.
    pub note: Option<String>,
    /// All its labels, reported and set.
    pub labels: Labels,
    /// Jobs it may run at once.
    pub slots: i64,
    /// What runs on it.
    pub running: Vec<SlotView>,
    /// What it says of its machine.
    pub facts: Facts,
    /// When it was last heard.
    pub seen_at: Option<Timestamp>,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// Rises with each change a person makes.
    pub version: i64,
}

/// A busy slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlotView {
    /// The task.
    pub task_id: TaskId,
    /// The job.
    pub job_id: JobId,
    /// The plan's name.
    pub plan: String,
    /// The job's name.
    pub job: String,
    /// When it was assigned.
    pub since: Timestamp,
}

/// A change of an agent (`PATCH`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchAgent {
    /// The version it was read at.
    pub version: i64,
    /// Pause, resume or drain.
    #[serde(default)]
    pub availability: Option<Availability>,
    /// Note of a pause.
    #[serde(default)]
    pub note: Option<String>,
}
