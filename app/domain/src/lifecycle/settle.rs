//! Ends: of an attempt and its job, of the jobs that needed it, of the task.
//!
//! **Invariant:** what has ended stays as it is; a task ends in the same event as its last job.

use super::{AttemptState, Effect, JobState, RetryOn, StepState, TaskState, reason};
use crate::status::{AttemptStatus, Desired, JobStatus, Outcome, StepStatus, TaskStatus};
use crate::{JobId, Timestamp};

/// How an attempt ends.
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    /// Whether its agent said so.
    pub(super) confirmed: bool,
    /// When the job may be handed out again at the earliest.
    pub(super) not_before: Option<Timestamp>,
}

impl End {
    /// An end that the server declares.
    pub(super) fn of(outcome: Outcome, reason: Option<String>) -> Self {
        Self {
            outcome,
            reason,
            confirmed: false,
            not_before: None,
        }
    }
}

/// Marks a step that will not run.
pub(super) fn skip(step: &mut StepState, why: &str, at: Timestamp) {
    step.status = StepStatus::Skipped;
    step.error = Some(why.to_owned());
    step.finished_at = Some(at);
}

/// Ends the current attempt of a job, with its steps.
fn close_attempt(job: &mut JobState, outcome: Outcome, reason: Option<String>, now: Timestamp) {
    let attempt = &mut job.attempt;
    let steps = attempt
        .steps
        .iter()
        .flat_map(|step| [step.started_at, step.finished_at]);
    // The clock may have been set back; nothing ends before it began.
    let now = steps
        .chain([attempt.assigned_at])
        .flatten()
        .max()
        .map_or(now, |latest| latest.max(now));
    for step in attempt.steps.iter_mut().filter(|step| !step.status.ended()) {
        if step.status == StepStatus::Pending {
            skip(step, reason::NOT_REACHED, now);
        } else {
            step.status = if outcome == Outcome::Passed {
                StepStatus::Lost
            } else {
                outcome.into()
            };
            step.error = reason.clone();
            step.finished_at = Some(now);
        }
    }
    attempt.status = AttemptStatus::Ended;
    attempt.outcome = Some(outcome);
    attempt.reason = reason;
    attempt.finished_at = Some(now);
}

/// Ends a job and its attempt.
pub(super) fn close(job: &mut JobState, outcome: Outcome, reason: Option<String>, now: Timestamp) {
    close_attempt(job, outcome, reason.clone(), now);
    job.status = outcome.into();
    job.reason = reason;
    job.finished_at = job.attempt.finished_at;
}

/// Which end this is to a plan's `retry`; `None` for those that are final.
fn kind(attempt: &AttemptState, outcome: Outcome) -> Option<RetryOn> {
    match outcome {
        Outcome::Lost => Some(RetryOn::AgentLost),
        Outcome::TimedOut => Some(RetryOn::TimedOut),
        Outcome::Failed => {
            let broke = |step: &&StepState| step.status == StepStatus::Failed && !step.allow_failure;
            let code = attempt.steps.iter().find(broke).and_then(|step| step.exit_code);
            Some(code.map_or(RetryOn::Failed, RetryOn::Exit))
        }
        Outcome::Passed | Outcome::Aborted | Outcome::Skipped => None,
    }
}

/// Ends an attempt that was handed out, and all that follows from it.
pub(super) fn end_attempt(state: &mut TaskState, index: usize, end: End, now: Timestamp, effects: &mut Vec<Effect>) {
    let wanted = state.desired == Desired::Run;
    let job = &mut state.jobs[index];
    let id = job.id;
    if let Some(agent) = job.attempt.agent {
        effects.push(Effect::SlotFreed { agent });
    }
    if end.confirmed {
        job.attempt.lease_until = None;
    }
    let number = job.attempt.number;
    let again = kind(&job.attempt, end.outcome).filter(|kind| job.retry.allows(*kind, number));
    if let Some(kind) = again
        && wanted
        && job.desired == Desired::Run
    {
        close_attempt(job, end.outcome, end.reason, now);
        job.status = JobStatus::Pending;
        job.started_at = None;
        job.reason = Some(reason::again(number, kind, job.retry.limit));
        effects.push(Effect::NewAttempt {
            job: id,
            number: number + 1,
            not_before: end.not_before,
        });
        return;
    }
    close(job, end.outcome, end.reason, now);
    if end.outcome == Outcome::Passed {
        let follows = |job: &&JobState| job.needs.contains(&id) && state.ready(job);
        let jobs: Vec<JobId> = state.jobs.iter().filter(follows).map(|job| job.id).collect();
        if !jobs.is_empty() {
            effects.push(Effect::JobsReady { jobs });
        }
    } else {
        cascade(state, now);
    }
    settle(state, now, effects);
}

/// Skips every waiting job that needs one which has ended otherwise than passed, and so on.
pub(super) fn cascade(state: &mut TaskState, now: Timestamp) {
    loop {
        let stuck = state.jobs.iter().enumerate().find_map(|(index, job)| {
            if job.status != JobStatus::Pending {
                return None;
            }
            let needed = state.unmet(job).find(|needed| needed.status.ended())?;
            Some((index, reason::skipped_job(needed)))
        });
        let Some((index, why)) = stuck else { return };
        close(&mut state.jobs[index], Outcome::Skipped, Some(why), now);
    }
}

/// Ends the task when its last job has.
pub(super) fn settle(state: &mut TaskState, now: Timestamp, effects: &mut Vec<Effect>) {
    if state.status.ended() || state.jobs.is_empty() || !state.jobs.iter().all(|job| job.status.ended()) {
        return;
    }
    let any = |outcome: Outcome| state.jobs.iter().any(|job| job.status == outcome.into());
    let worst = [
        Outcome::Lost,
        Outcome::TimedOut,
        Outcome::Failed,
        Outcome::Aborted,
        Outcome::Passed,
    ];
    let outcome = match state.desired {
        Desired::Abort => Outcome::Aborted,
        Desired::Run => worst
            .into_iter()
            .find(|outcome| any(*outcome))
            .unwrap_or(Outcome::Skipped),
    };
    if outcome != Outcome::Aborted {
        state.reason = reason::task(state, outcome);
    }
    end_task(state, outcome, now, effects);
}

/// Ends the task so.
pub(super) fn end_task(state: &mut TaskState, outcome: Outcome, now: Timestamp, effects: &mut Vec<Effect>) {
    let jobs = state.jobs.iter().filter_map(|job| job.finished_at);
    state.status = TaskStatus::from(outcome);
    state.finished_at = Some(jobs.chain([now]).chain(state.started_at).max().unwrap_or(now));
    effects.push(Effect::TaskEnded { outcome });
}
