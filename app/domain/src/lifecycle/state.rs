//! What a task is made of, one struct per table row: the engine loads them, steps, and writes what differs.
//!
//! **Invariant:** a job has one current attempt, and it is live exactly while the job has not ended.

use crate::plan::Retry;
use crate::status::{AttemptStatus, Desired, ExecutorKind, JobStatus, Outcome, StepKind, StepStatus, TaskStatus};
use crate::{AgentId, AttemptId, JobId, StepId, TaskId, Timestamp};

/// Names one hold on one attempt: what carries another epoch is from the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fence {
    /// The attempt.
    pub attempt: AttemptId,
    /// The fence; set when the attempt is assigned.
    pub epoch: i64,
}

/// A task: its row and its jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskState {
    /// Its id.
    pub id: TaskId,
    /// Its state.
    pub status: TaskStatus,
    /// What is wanted of it.
    pub desired: Desired,
    /// When its first job was assigned.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it waits or what broke, one sentence.
    pub reason: Option<String>,
    /// Its jobs, in the plan's order; empty until its document is resolved.
    pub jobs: Vec<JobState>,
}

/// A job: its row and its current attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct JobState {
    /// Its id.
    pub id: JobId,
    /// Its key in the plan, which is its name.
    pub key: String,
    /// Jobs of the same task that must have passed.
    pub needs: Vec<JobId>,
    /// Its state.
    pub status: JobStatus,
    /// What is wanted of it.
    pub desired: Desired,
    /// Why it waits or what broke, one sentence.
    pub reason: Option<String>,
    /// When its current attempt was assigned.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it is tried again.
    pub retry: Retry,
    /// Its current attempt.
    pub attempt: AttemptState,
}

/// The current attempt of a job: its row and its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptState {
    /// Its id.
    pub id: AttemptId,
    /// 1, 2, 3, …
    pub number: i64,
    /// Its state.
    pub status: AttemptStatus,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What broke, one sentence.
    pub reason: Option<String>,
    /// Who holds or held it.
    pub agent: Option<AgentId>,
    /// The fence; rises with each hand-out.
    pub epoch: i64,
    /// Until when its agent holds it. An ended attempt keeps it when its agent never confirmed the end.
    pub lease_until: Option<Timestamp>,
    /// Until when it may run.
    pub deadline_at: Option<Timestamp>,
    /// When it was handed out.
    pub assigned_at: Option<Timestamp>,
    /// When the first step of the plan began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it runs.
    pub executor: Option<ExecutorKind>,
    /// Its steps of every kind, in the order in which they run.
    pub steps: Vec<StepState>,
}

/// A step of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// Its id.
    pub id: StepId,
    /// Its kind.
    pub kind: StepKind,
    /// Its place among those of its kind.
    pub ordinal: i64,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: StepStatus,
    /// Exit code, when the command ended by itself.
    pub exit_code: Option<i64>,
    /// Signal that ended it.
    pub signal: Option<i64>,
    /// What went wrong, or why it was skipped, one sentence.
    pub error: Option<String>,
    /// Its failure does not fail the job.
    pub allow_failure: bool,
    /// When its command began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Where its bytes begin in the attempt's console file.
    pub console_from: i64,
    /// Bytes of its output; 0 until it ends.
    pub console_len: i64,
}

impl TaskState {
    /// A task that waits.
    #[must_use]
    pub fn waiting(id: TaskId, jobs: Vec<JobState>) -> Self {
        Self {
            id,
            status: TaskStatus::Pending,
            desired: Desired::Run,
            started_at: None,
            finished_at: None,
            reason: None,
            jobs,
        }
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&JobState> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// Whether a job may be handed out: it waits, is wanted, and all it needs has passed.
    #[must_use]
    pub fn ready(&self, job: &JobState) -> bool {
        job.status == JobStatus::Pending
            && job.attempt.status == AttemptStatus::Waiting
            && self.desired == Desired::Run
            && job.desired == Desired::Run
            && self.unmet(job).next().is_none()
    }

    /// The jobs a job needs that have not passed (yet).
    pub fn unmet<'a>(&'a self, job: &'a JobState) -> impl Iterator<Item = &'a JobState> {
        job.needs
            .iter()
            .filter_map(|id| self.job(*id))
            .filter(|needed| needed.status != JobStatus::Passed)
    }
}

impl JobState {
    /// A job that waits, with its first attempt.
    #[must_use]
    pub fn waiting(id: JobId, key: impl Into<String>, needs: Vec<JobId>, retry: Retry, attempt: AttemptState) -> Self {
        Self {
            id,
            key: key.into(),
            needs,
            status: JobStatus::Pending,
            desired: Desired::Run,
            reason: None,
            started_at: None,
            finished_at: None,
            retry,
            attempt,
        }
    }

    /// The same job as passed already: for a rerun of what failed, which takes over what passed in task `of`.
    #[must_use]
    pub fn carried_over(mut self, of: TaskId, now: Timestamp) -> Self {
        let reason = format!("Passed in task #{of}.");
        for step in &mut self.attempt.steps {
            step.status = StepStatus::Skipped;
            step.error = Some(reason.clone());
            step.finished_at = Some(now);
        }
        self.attempt.status = AttemptStatus::Ended;
        self.attempt.outcome = Some(Outcome::Passed);
        self.attempt.reason = Some(reason.clone());
        self.attempt.finished_at = Some(now);
        self.status = JobStatus::Passed;
        self.reason = Some(reason);
        self.finished_at = Some(now);
        self
    }
}

impl AttemptState {
    /// An attempt that waits to be handed out, with steps that have not begun.
    #[must_use]
    pub fn waiting(id: AttemptId, number: i64, steps: Vec<StepState>) -> Self {
        Self {
            id,
            number,
            status: AttemptStatus::Waiting,
            outcome: None,
            reason: None,
            agent: None,
            epoch: 0,
            lease_until: None,
            deadline_at: None,
            assigned_at: None,
            started_at: None,
            finished_at: None,
            executor: None,
            steps,
        }
    }

    /// The attempt after this one, to answer [`super::Effect::NewAttempt`]: the same steps, not begun, under ids the
    /// database issued. `steps` are the new ids in the order of `self.steps`.
    ///
    /// # Errors
    /// When the ids are not as many as the steps.
    pub fn following(&self, id: AttemptId, steps: &[StepId]) -> Result<Self, super::Refused> {
        if steps.len() != self.steps.len() {
            return Err(super::Refused::OutOfOrder(
                "A new attempt needs an id for each of its steps.".into(),
            ));
        }
        let fresh = self.steps.iter().zip(steps);
        let fresh = fresh.map(|(s, id)| StepState::pending(*id, s.kind, s.ordinal, s.name.clone(), s.allow_failure));
        Ok(Self {
            epoch: self.epoch,
            ..Self::waiting(id, self.number + 1, fresh.collect())
        })
    }

    /// The hold on it, for messages to its agent.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence {
            attempt: self.id,
            epoch: self.epoch,
        }
    }

    /// Who holds it now: its agent, while it is handed out and has not ended.
    #[must_use]
    pub fn holder(&self) -> Option<AgentId> {
        self.agent
            .filter(|_| !matches!(self.status, AttemptStatus::Waiting | AttemptStatus::Ended))
    }
}

impl StepState {
    /// A step that has not begun.
    #[must_use]
    pub fn pending(id: StepId, kind: StepKind, ordinal: i64, name: impl Into<String>, allow_failure: bool) -> Self {
        Self {
            id,
            kind,
            ordinal,
            name: name.into(),
            status: StepStatus::Pending,
            exit_code: None,
            signal: None,
            error: None,
            allow_failure,
            started_at: None,
            finished_at: None,
            console_from: 0,
            console_len: 0,
        }
    }
}
