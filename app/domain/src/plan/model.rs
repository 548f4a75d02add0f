//! The checked model of a plan (DESIGN §7); stored resolved beside the text, and as each job's `spec`.
//!
//! **Invariant:** `needs` names jobs that exist and forms no cycle; names are unique; every duration is positive.

use super::Retry;
use crate::label::Condition;
use crate::status::ExecutorKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Unique in its project.
    pub name: String,
    /// Where the workspace comes from; `None` leaves it empty.
    pub source: Option<Source>,
    /// The file of the source that holds the rest, read at the revision that runs. A plan with a file and without jobs has
    /// not been read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Environment of every step.
    pub env: BTreeMap<String, String>,
    /// The jobs, in the document's order. A plan with `steps:` at top level has one, called `main`.
    pub jobs: Vec<Job>,
}

impl Plan {
    /// The file that is to be read before the plan's jobs are known.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        self.file.as_deref().filter(|_| self.jobs.is_empty())
    }

    /// Whether something has to be asked of the source before a task of it can run: its exact commit, or its file.
    #[must_use]
    pub fn asks(&self, revision: Option<&str>) -> bool {
        self.source.is_some() && (revision.is_none() || self.unread().is_some())
    }
}

/// A git repository and the branch to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// URL (https, ssh; where allowed http, file or an absolute path).
    pub git: String,
    /// Branch; the repository's default branch when absent.
    pub branch: Option<String>,
    /// Whether submodules are checked out too.
    #[serde(default)]
    pub submodules: bool,
}

/// A part of a plan that runs on one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its key under `jobs:`, also its name.
    pub key: String,
    /// Keys of the jobs that must have passed.
    pub needs: Vec<String>,
    /// Container image; the agent's default image when absent.
    pub image: Option<String>,
    /// Fixes the executor; the agent's own when absent.
    pub executor: Option<ExecutorKind>,
    /// What the agent must offer; all of it.
    pub runs_on: Vec<Condition>,
    /// Environment of this job's steps.
    pub env: BTreeMap<String, String>,
    /// Milliseconds the whole attempt may take.
    pub timeout_ms: Option<i64>,
    /// When it is tried again; never where the document does not say.
    #[serde(default, skip_serializing_if = "Retry::is_none")]
    pub retry: Retry,
    /// Limits of each container.
    pub limits: Limits,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// Limits of a step's container; the agent's defaults where absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Cores, in thousandths.
    pub cpu_milli: Option<i64>,
    /// Memory, bytes.
    pub memory: Option<i64>,
}

/// One command sequence of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name; the command's first line when the document gave none.
    pub name: String,
    /// What it runs.
    pub command: Command,
    /// Environment of this step.
    pub env: BTreeMap<String, String>,
    /// Runs only where this holds.
    pub when: Vec<Condition>,
    /// Its failure does not fail the job.
    pub allow_failure: bool,
    /// What it leaves running lives on until the job ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Milliseconds it may take.
    pub timeout_ms: Option<i64>,
}

/// How a step's command is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A script for `/bin/sh -e`.
    Run(String),
    /// An argument list; no shell.
    Argv(Vec<String>),
}
