//! Which rows differ between two states of one task.
//!
//! **Invariant:** a row is named exactly when a column of its own differs; a change of a child does not name its parent.

use super::{AttemptState, JobState, StepState, TaskState};

/// The rows to write, as they are after the change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes<'a> {
    /// The task's row.
    pub task: Option<&'a TaskState>,
    /// Rows of jobs.
    pub jobs: Vec<&'a JobState>,
    /// Rows of attempts.
    pub attempts: Vec<&'a AttemptState>,
    /// Rows of steps.
    pub steps: Vec<&'a StepState>,
}

impl Changes<'_> {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.task.is_none() && self.jobs.is_empty() && self.attempts.is_empty() && self.steps.is_empty()
    }
}

/// What to write when a task went from `before` to `after` by [`super::step`]. Both have the same jobs, attempts and
/// steps in the same order; what `before` does not have counts as changed.
#[must_use]
pub fn changes<'a>(before: &TaskState, after: &'a TaskState) -> Changes<'a> {
    let mut found = Changes {
        task: (!same_task(before, after)).then_some(after),
        ..Changes::default()
    };
    for (i, job) in after.jobs.iter().enumerate() {
        let old = before.jobs.get(i).filter(|old| old.id == job.id);
        if !old.is_some_and(|old| same_job(old, job)) {
            found.jobs.push(job);
        }
        let new = &job.attempt;
        let old = old.map(|old| &old.attempt).filter(|old| old.id == new.id);
        if !old.is_some_and(|old| same_attempt(old, new)) {
            found.attempts.push(new);
        }
        for (i, step) in new.steps.iter().enumerate() {
            if old.and_then(|old| old.steps.get(i)) != Some(step) {
                found.steps.push(step);
            }
        }
    }
    found
}

// The patterns name every field, so that a new column cannot be forgotten here.

fn same_task(a: &TaskState, b: &TaskState) -> bool {
    let TaskState {
        id,
        status,
        desired,
        started_at,
        finished_at,
        reason,
        jobs: _,
    } = a;
    (id, status, desired, started_at, finished_at, reason)
        == (&b.id, &b.status, &b.desired, &b.started_at, &b.finished_at, &b.reason)
}

fn same_job(a: &JobState, b: &JobState) -> bool {
    let JobState {
        id,
        key,
        needs,
        status,
        desired,
        reason,
        started_at,
        finished_at,
        retry,
        attempt,
    } = a;
    (id, key, needs, status, desired, reason) == (&b.id, &b.key, &b.needs, &b.status, &b.desired, &b.reason)
        && (started_at, finished_at, retry) == (&b.started_at, &b.finished_at, &b.retry)
        // The row holds the number of its current attempt.
        && attempt.id == b.attempt.id
}

fn same_attempt(a: &AttemptState, b: &AttemptState) -> bool {
    let AttemptState {
        id,
        number,
        status,
        outcome,
        reason,
        agent,
        epoch,
        lease_until,
        deadline_at,
        assigned_at,
        started_at,
        finished_at,
        executor,
        steps: _,
    } = a;
    (id, number, status, outcome, reason, agent) == (&b.id, &b.number, &b.status, &b.outcome, &b.reason, &b.agent)
        && (epoch, lease_until, deadline_at) == (&b.epoch, &b.lease_until, &b.deadline_at)
        && (assigned_at, started_at, finished_at) == (&b.assigned_at, &b.started_at, &b.finished_at)
        && executor == &b.executor
}
