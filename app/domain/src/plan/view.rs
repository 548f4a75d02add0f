//! Plans as the API and the pages show them.
//!
//! **Invariant:** a view is read at one instant; `version` is what a later save must name.

use crate::task::TaskRef;
use crate::{PlanId, Problem, Timestamp};
use serde::{Deserialize, Serialize};

/// A plan in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanSummary {
    /// Its id.
    pub id: PlanId,
    /// Its name.
    pub name: String,
    /// One line about it; empty when none.
    pub description: String,
    /// Whether it may run.
    pub enabled: bool,
    /// Current revision number.
    pub revision: i64,
    /// The source's URL, if it has one.
    pub source: Option<crate::plan::Source>,
    /// The file of the source that has its jobs; `null` when they stand here.
    #[serde(default)]
    pub file: Option<String>,
    /// Job keys, in order; none of a plan that is kept in its repository.
    pub jobs: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its current revision was saved.
    pub saved_at: Timestamp,
    /// Its newest tasks, newest first, at most 30.
    pub recent: Vec<TaskRef>,
    /// Rises with each save; name it when you save.
    pub version: i64,
}

/// A plan with its document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanView {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: PlanSummary,
    /// The YAML text of the current revision.
    pub document: String,
}

/// One saved revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevisionView {
    /// 1, 2, 3, …
    pub number: i64,
    /// The YAML text.
    pub document: String,
    /// Who saved it.
    pub author: Option<String>,
    /// What changed and why, if they said.
    pub message: String,
    /// When.
    pub created_at: Timestamp,
}

/// A new plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// Must agree with the document's `name` when both are given.
    #[serde(default)]
    pub name: Option<String>,
    /// One line about it.
    #[serde(default)]
    pub description: Option<String>,
    /// The YAML text.
    pub document: String,
    /// Whether it may run; true when absent.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// A save of a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SavePlan {
    /// The version it was read at; a stale one is refused with 409.
    pub version: i64,
    /// Must agree with the document's `name` when both are given.
    #[serde(default)]
    pub name: Option<String>,
    /// One line about it; unchanged when absent.
    #[serde(default)]
    pub description: Option<String>,
    /// The YAML text.
    pub document: String,
    /// Whether it may run; unchanged when absent.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// What changed and why.
    #[serde(default)]
    pub message: Option<String>,
}

/// What a check of a document found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanCheck {
    /// Whether it could be saved.
    pub valid: bool,
    /// Everything wrong with it.
    pub errors: Vec<Problem>,
    /// The plan's name, when it could be read.
    pub name: Option<String>,
    /// Its jobs in order, when it is valid.
    pub jobs: Vec<String>,
    /// The file of its source that has the jobs, when it is valid and names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}
