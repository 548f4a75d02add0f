//! What placement looks at: the agents as they are, and the jobs that wait.
//!
//! **Invariant:** two jobs with equal wishes fit the same agents, so whatever is found for one holds for all of them.

use crate::label::{Condition, Labels};
use crate::status::{AgentStatus, Availability, ExecutorKind};
use crate::{AgentId, AttemptId, JobId, TaskId, Timestamp};
use std::cmp::{Ordering, Reverse};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// An agent, as placement sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its name, which conditions know as `agent`.
    pub name: String,
    /// Whether it is heard.
    pub status: AgentStatus,
    /// Whether it takes jobs.
    pub availability: Availability,
    /// The note of a pause.
    pub note: Option<String>,
    /// Jobs it may run at once.
    pub slots: u32,
    /// What runs there now: every attempt it holds that has not ended.
    pub busy: Vec<Busy>,
    /// All its labels, with `os`, `arch`, `hostname`, `engine`.
    pub labels: Labels,
    /// Executors it offers, the default first.
    pub executors: Vec<ExecutorKind>,
    /// Why its engine cannot be used now, if it cannot.
    pub engine_error: Option<String>,
    /// Whether its disk is full.
    pub disk_full: bool,
    /// Whether it is the one inside the server.
    pub builtin: bool,
}

/// A busy slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// Whose job.
    pub task: TaskId,
    /// Which job.
    pub job: JobId,
}

/// What a job asks of an agent. Make one per plan revision and job and share it: equal wishes are examined once.
#[derive(Debug, Clone)]
pub struct Wish {
    requirements: Vec<Condition>,
    executor: Option<ExecutorKind>,
    image: bool,
    signature: u64,
}

/// A job that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The job.
    pub job: JobId,
    /// Its task.
    pub task: TaskId,
    /// Its waiting attempt.
    pub attempt: AttemptId,
    /// −100 to 100, higher first.
    pub priority: i64,
    /// Since when it could run but for slots.
    pub ready_at: Timestamp,
    /// What it needs that has not passed yet.
    pub unmet: Vec<Need>,
    /// What it asks of an agent.
    pub wish: Arc<Wish>,
    /// What its whole task waits for.
    pub held: Option<Held>,
    /// Not before this instant: the agent of a lost attempt may still run it.
    pub not_before: Option<Timestamp>,
}

/// What a whole task can wait for before any job of it is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Its exact revision, or its document, is still being found.
    Resolving,
    /// A member is to approve its revision.
    Approval,
}

/// A job that another one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The job.
    pub job: JobId,
    /// Its key.
    pub key: String,
}

impl Wish {
    /// A wish: all of `requirements`, the `executor` the plan fixes, and whether it names an `image`.
    #[must_use]
    pub fn new(requirements: Vec<Condition>, executor: Option<ExecutorKind>, image: bool) -> Self {
        // Fixed keys: the same wish has the same signature in every run.
        let mut hasher = DefaultHasher::new();
        (&requirements, executor, image).hash(&mut hasher);
        Self {
            requirements,
            executor,
            image,
            signature: hasher.finish(),
        }
    }

    /// What a job of a plan asks.
    #[must_use]
    pub fn of(job: &crate::plan::Job) -> Self {
        Self::new(job.runs_on.clone(), job.executor, job.image.is_some())
    }

    /// What the agent must offer; all of it.
    #[must_use]
    pub fn requirements(&self) -> &[Condition] {
        &self.requirements
    }

    /// The executor the plan fixes; the agent's own when absent.
    #[must_use]
    pub fn executor(&self) -> Option<ExecutorKind> {
        self.executor
    }

    /// Whether the job names an image, so that processes will not do.
    #[must_use]
    pub fn image(&self) -> bool {
        self.image
    }
}

impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Wish {}
impl PartialOrd for Wish {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Wish {
    /// By signature first: most wishes differ there, and a map of them needs no long comparison.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.signature, self.executor, self.image, &self.requirements).cmp(&(
            other.signature,
            other.executor,
            other.image,
            &other.requirements,
        ))
    }
}

impl Waiting {
    /// Its place in the queue: jobs are handed out in rising order of it.
    #[must_use]
    pub fn rank(&self) -> (Reverse<i64>, Timestamp, JobId) {
        (Reverse(self.priority), self.ready_at, self.job)
    }
}
