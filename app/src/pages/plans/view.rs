//! What the pages of plans are given to show.
//!
//! **Invariant:** each is read at one instant; `seq` is the event number before which that was.

use crate::error::Error;
use domain::page::Page;
use domain::plan::view::PlanSummary;
use domain::status::{Desired, TaskStatus};
use domain::task::Cause;
use domain::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// The list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlansView {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// A page of plans, newest first.
    pub plans: Page<PlanSummary>,
}

/// A task in the table of its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// Its state.
    pub status: TaskStatus,
    /// What is wanted of it.
    pub desired: Desired,
    /// Why it waits or what broke.
    pub reason: Option<String>,
    /// First line of the commit message, or empty.
    pub message: String,
    /// Commit.
    pub revision: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Why it exists.
    pub cause: Cause,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// A revision in the list of a plan's revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    /// Its number.
    pub number: i64,
    /// Who saved it.
    pub author: Option<String>,
    /// What changed and why.
    pub message: String,
    /// When.
    pub created_at: Timestamp,
}

/// One plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanPage {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// The plan.
    pub plan: PlanSummary,
    /// A page of its tasks, newest first.
    pub tasks: Page<TaskRow>,
    /// Its newest revisions.
    pub revisions: Vec<RevisionRow>,
    /// Number of the revision whose document is shown.
    pub shown: i64,
    /// That document.
    pub document: String,
}

/// What stands in the editor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The version it was read at; 0 for a new plan.
    pub version: i64,
    /// The YAML text.
    pub document: String,
    /// One line about the plan.
    pub description: String,
    /// Whether it may run.
    pub enabled: bool,
    /// What changed and why.
    pub message: String,
}

/// The editor's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditView {
    /// Name of the plan as it stands; empty for a new one.
    pub name: String,
    /// Its current revision; 0 for a new one.
    pub revision: i64,
    /// What stands in the form.
    pub draft: Draft,
    /// Why the last try was refused.
    pub refused: Option<Error>,
    /// Whether that was because someone else has saved meanwhile.
    pub stale: bool,
}
