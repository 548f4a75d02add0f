//! The queue as the API and the first page show it: what waits and why, what runs, what ended.
//!
//! **Invariant:** every waiting job stands here with a sentence that is true at `seq`.

use crate::page::Page;
use crate::task::{AgentRef, TaskView};
use crate::{AgentId, JobId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a job waits, in a word; the page picks its icon by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// It needs another job.
    Needs,
    /// Every slot of the agents that fit is busy.
    Slots,
    /// No agent offers what it asks.
    NoAgent,
    /// The agents that fit are away.
    Away,
    /// The agents that fit are paused.
    Paused,
    /// The exact revision is being found.
    Resolving,
    /// A member is to approve its revision.
    Approval,
    /// It has just arrived, or is being handed out this moment.
    Placing,
    /// The server's disk is nearly full.
    Disk,
}

impl ReasonCode {
    /// Every code.
    pub const ALL: &'static [Self] = &[
        Self::Needs,
        Self::Slots,
        Self::NoAgent,
        Self::Away,
        Self::Paused,
        Self::Resolving,
        Self::Approval,
        Self::Placing,
        Self::Disk,
    ];
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Needs => "needs",
            Self::Slots => "slots",
            Self::NoAgent => "no_agent",
            Self::Away => "away",
            Self::Paused => "paused",
            Self::Resolving => "resolving",
            Self::Approval => "approval",
            Self::Placing => "placing",
            Self::Disk => "disk",
        }
    }
    /// Whether only a person can end the wait.
    #[must_use]
    pub fn blocked(self) -> bool {
        matches!(
            self,
            Self::NoAgent | Self::Away | Self::Paused | Self::Approval | Self::Disk
        )
    }
}

impl std::str::FromStr for ReasonCode {
    type Err = crate::status::UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.as_str() == s)
            .ok_or_else(|| crate::status::UnknownWord(s.into()))
    }
}

/// What a waiting job waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blocker {
    /// `task`, `job` or `agent`.
    pub kind: String,
    /// Its id.
    pub id: i64,
}

/// Whether one agent fits a waiting job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fit {
    /// The agent.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Whether it could run the job at all.
    pub fits: bool,
    /// Why not, or how busy it is.
    pub why: String,
}

/// When a waiting job should start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Estimate {
    /// Not before.
    pub from: Timestamp,
    /// Probably by then.
    pub to: Timestamp,
}

/// A waiting job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueItem {
    /// The task.
    pub task_id: TaskId,
    /// The job.
    pub job_id: JobId,
    /// The job's name.
    pub job: String,
    /// The plan's name.
    pub plan: String,
    /// Branch of the task.
    pub branch: Option<String>,
    /// Why the task exists.
    pub cause: crate::task::Cause,
    /// Why it waits, in a word.
    pub reason_code: ReasonCode,
    /// Why it waits, one sentence.
    pub reason: String,
    /// What it waits for.
    pub blocker: Option<Blocker>,
    /// 1-based place in the order in which jobs are handed out.
    pub position: i64,
    /// −100 to 100, higher first.
    pub priority: i64,
    /// When it should start; `null` when unknown.
    pub estimated_start: Option<Estimate>,
    /// Every agent, and whether it fits.
    pub agents: Vec<Fit>,
    /// Since when it waits.
    pub since: Timestamp,
}

/// A running job, for the first page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningItem {
    /// The task.
    pub task_id: TaskId,
    /// The job.
    pub job_id: JobId,
    /// The job's name.
    pub job: String,
    /// The plan's name.
    pub plan: String,
    /// Branch of the task.
    pub branch: Option<String>,
    /// Why the task exists.
    pub cause: crate::task::Cause,
    /// Whether it is being aborted.
    pub aborting: bool,
    /// Whether workspace and image are still being made ready.
    pub preparing: bool,
    /// The step that runs now.
    pub step: Option<String>,
    /// Who runs it.
    pub agent: Option<AgentRef>,
    /// When it was assigned.
    pub since: Timestamp,
    /// Usual duration of this plan's job, milliseconds, from tasks that passed.
    pub usual_ms: Option<i64>,
}

/// Figures above the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFigures {
    /// Busy slots.
    pub busy: i64,
    /// Slots of agents online and active.
    pub slots: i64,
    /// Waiting jobs.
    pub waiting: i64,
    /// Waiting jobs that only a person can free.
    pub blocked: i64,
    /// Running jobs.
    pub running: i64,
    /// Agents online.
    pub online: i64,
    /// Agents in all.
    pub agents: i64,
    /// Bytes free on the server's disk, when they are too few for new work.
    #[serde(default)]
    pub disk_left: Option<i64>,
}

/// The first page, read at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    /// The event number it was read at; subscribe from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// Figures.
    pub figures: QueueFigures,
    /// What waits, in order, at most 200.
    pub waiting: Vec<QueueItem>,
    /// What runs, at most 200.
    pub running: Vec<RunningItem>,
    /// Tasks by the page's filters, newest first.
    pub tasks: Page<TaskView>,
}
