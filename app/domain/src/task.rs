//! Tasks, jobs, attempts and steps as the API and the pages show them (DESIGN §8).
//!
//! **Invariant:** `steps` are the plan's own, in order, of the current attempt; set-up and clean-up stand apart.

use crate::status::{AttemptStatus, Desired, JobStatus, Outcome, StepKind, StepStatus, TaskStatus};
use crate::{AgentId, AttemptId, FiringId, JobId, PlanId, Problem, StepId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of cause made a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CauseKind {
    /// A person on the page.
    Manual,
    /// A program over the API.
    Api,
    /// Someone ran an earlier task again.
    Rerun,
    /// A poll trigger.
    Poll,
    /// A cron trigger.
    Cron,
    /// A webhook trigger.
    Webhook,
    /// A task of another plan.
    Upstream,
}

impl CauseKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Manual,
        Self::Api,
        Self::Rerun,
        Self::Poll,
        Self::Cron,
        Self::Webhook,
        Self::Upstream,
    ];
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Api => "api",
            Self::Rerun => "rerun",
            Self::Poll => "poll",
            Self::Cron => "cron",
            Self::Webhook => "webhook",
            Self::Upstream => "upstream",
        }
    }
}

impl std::str::FromStr for CauseKind {
    type Err = crate::status::UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.as_str() == s)
            .ok_or_else(|| crate::status::UnknownWord(s.into()))
    }
}

/// Why a task exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// Who: the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The task it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<TaskId>,
    /// The firing, for causes that are triggers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing_id: Option<FiringId>,
    /// The repository of a stranger whose change runs: each revision of it is approved by a member first (reliability S29).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<String>,
}

/// The document of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskDocument {
    /// The file of the repository it stands in; `null` when the plan is kept on the server.
    pub path: Option<String>,
    /// The commit at which the file was read.
    pub revision: Option<String>,
    /// The YAML text; `null` while it is not read, and where there is none.
    pub text: Option<String>,
    /// What is wrong with it, so that it could not be run; in the text's order.
    pub problems: Vec<Problem>,
}

/// The plan a task executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanRef {
    /// Its id.
    pub id: PlanId,
    /// Its name.
    pub name: String,
    /// The revision executed.
    pub revision: i64,
}

/// An agent, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentRef {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
}

/// A task in few words, for run bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskRef {
    /// Its id.
    pub id: TaskId,
    /// Its state.
    pub status: TaskStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The first line of its commit message, or empty.
    pub message: String,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// The plan and the revision executed.
    pub plan: PlanRef,
    /// Its state.
    pub status: TaskStatus,
    /// What is wanted of it.
    pub desired: Desired,
    /// Why it waits or what broke, one sentence; `null` when there is nothing to say.
    pub reason: Option<String>,
    /// Whether it waits for a member to approve its revision; left out when it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_approval: bool,
    /// The version under work that groups tasks.
    pub build: Option<String>,
    /// Exact commit.
    pub revision: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Commit message.
    pub message: Option<String>,
    /// Commit author.
    pub author: Option<String>,
    /// Why it exists.
    pub cause: Cause,
    /// Parameters given.
    pub parameters: BTreeMap<String, String>,
    /// −100 to 100, higher first.
    pub priority: i64,
    /// The agent of its newest running or ended job.
    pub agent: Option<AgentRef>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first job was assigned.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its jobs, in order.
    pub jobs: Vec<JobView>,
    /// Rises with each change.
    pub version: i64,
}

/// A job of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Its name: the key in the plan.
    pub name: String,
    /// Its state.
    pub status: JobStatus,
    /// Why it waits or what broke, one sentence.
    pub reason: Option<String>,
    /// Names of the jobs it needs.
    pub needs: Vec<String>,
    /// Its image, when the plan names one.
    pub image: Option<String>,
    /// Number of the current attempt, 1-based.
    pub attempt: i64,
    /// Id of the current attempt, under which `/live` shows its console.
    pub attempt_id: AttemptId,
    /// Who runs or ran it.
    pub agent: Option<AgentRef>,
    /// When it was assigned.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Set-up: image, checkout.
    pub setup: Vec<StepView>,
    /// The plan's own.
    pub steps: Vec<StepView>,
    /// Side containers.
    pub services: Vec<StepView>,
    /// Clean-up.
    pub cleanup: Vec<StepView>,
}

/// A step of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepView {
    /// Its id.
    pub id: StepId,
    /// Its kind.
    pub kind: StepKind,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: StepStatus,
    /// Exit code, when the command ended by itself.
    pub exit_code: Option<i64>,
    /// Signal that ended it.
    pub signal: Option<i64>,
    /// What went wrong, one sentence.
    pub error: Option<String>,
    /// Its failure does not fail the job.
    pub allow_failure: bool,
    /// When its command began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Where its bytes begin in the attempt's console file.
    pub console_from: i64,
    /// Bytes of output so far.
    pub bytes: i64,
    /// Lines of output so far; an unterminated tail counts.
    pub lines: i64,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptView {
    /// Its id.
    pub id: AttemptId,
    /// Its job.
    pub job_id: JobId,
    /// 1, 2, 3, …
    pub number: i64,
    /// Its state.
    pub status: AttemptStatus,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What broke, one sentence.
    pub reason: Option<String>,
    /// Who ran it.
    pub agent: Option<AgentRef>,
    /// The fence: rises with each hand-out; what an agent says under another one is refused.
    pub epoch: i64,
    /// How it ran.
    pub executor: Option<crate::status::ExecutorKind>,
    /// When it was handed out.
    pub assigned_at: Option<Timestamp>,
    /// Until when its agent holds it unless it is heard; of an ended one only where its agent never confirmed the end.
    pub lease_until: Option<Timestamp>,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Bytes of output stored; 0 until it ends.
    pub console_bytes: i64,
    /// XXH3-64 of them, 16 hex digits, when agent and server agreed on it; `null` while it runs, and where the output was
    /// not proved complete.
    pub console_digest: Option<String>,
    /// Places in its output where bytes are missing.
    pub gaps: i64,
    /// Bytes missing there, as far as their number is known.
    pub gap_bytes: i64,
    /// Its steps of every kind, in order.
    pub steps: Vec<StepView>,
}

/// Which tasks are wanted; a list means any of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskQuery {
    /// States; `waiting` is taken for `pending`.
    #[serde(default)]
    pub status: Vec<String>,
    /// Plan ids or names.
    #[serde(default)]
    pub plan: Vec<String>,
    /// Agent ids or names.
    #[serde(default)]
    pub agent: Vec<String>,
    /// Cause kinds.
    #[serde(default)]
    pub cause: Vec<String>,
    /// Branches.
    #[serde(default)]
    pub branch: Vec<String>,
    /// Builds.
    #[serde(default)]
    pub build: Vec<String>,
    /// Text in plan name, message, author, branch or revision; `#12` or `12` finds a task by id.
    #[serde(default)]
    pub q: Option<String>,
    /// Which page.
    #[serde(flatten)]
    pub page: crate::page::PageQuery,
}

/// A wish to run a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RunPlan {
    /// Exact commit; the branch's head when absent.
    #[serde(default)]
    pub revision: Option<String>,
    /// Branch; the plan's when absent.
    #[serde(default)]
    pub branch: Option<String>,
    /// Parameters by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// −100 to 100, higher first; 0 when absent; at most 50 for those who are not admins.
    #[serde(default)]
    pub priority: Option<i64>,
}

/// A wish to run a task again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// Only the jobs that did not pass; the others count as passed.
    #[serde(default)]
    pub failed_only: bool,
}
