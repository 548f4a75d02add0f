//! What must be true after every event, whatever it was.
//!
//! **Invariant:** nothing here uses the rules it checks: states are compared, never stepped.

use crate::Timestamp;
use crate::lifecycle::*;
use crate::status::{AttemptStatus, Desired, JobStatus, Outcome, StepKind, StepStatus, TaskStatus};

type Verdict = Result<(), String>;

fn must(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

/// Checks one accepted event.
pub(super) fn accepted(before: &TaskState, after: &TaskState, effects: &[Effect]) -> Verdict {
    let renewed = |job: &JobState| {
        effects
            .iter()
            .any(|e| matches!(e, Effect::NewAttempt { job: id, .. } if *id == job.id))
    };
    forward(before, after, &renewed)?;
    for job in &after.jobs {
        whole(after, job, renewed(job))?;
    }
    let over = after.jobs.iter().all(|job| job.status.ended()) && !after.jobs.is_empty();
    must(after.status.ended() == over, || {
        "a task ends exactly with its last job".into()
    })?;
    let told = effects.iter().filter(|e| matches!(e, Effect::TaskEnded { .. })).count();
    let ended_now = after.status.ended() && !before.status.ended();
    must(told == usize::from(ended_now), || {
        format!("the end was told {told} times")
    })?;
    if after.status.ended() {
        must(after.status.outcome() == Some(worst(after)), || {
            format!("outcome {}", after.status)
        })?;
        let silent = matches!(after.status, TaskStatus::Passed);
        must(after.reason.is_none() == silent, || {
            format!("reason {:?} of {}", after.reason, after.status)
        })?;
    }
    rebuilt(before, after)
}

/// DESIGN §4, read literally.
fn worst(task: &TaskState) -> Outcome {
    if task.desired == Desired::Abort {
        return Outcome::Aborted;
    }
    let is = |status| task.jobs.iter().any(|job| job.status == status);
    match () {
        () if is(JobStatus::Lost) => Outcome::Lost,
        () if is(JobStatus::TimedOut) => Outcome::TimedOut,
        () if is(JobStatus::Failed) => Outcome::Failed,
        () if is(JobStatus::Passed) => Outcome::Passed,
        () => Outcome::Skipped,
    }
}

fn forward(before: &TaskState, after: &TaskState, renewed: &dyn Fn(&JobState) -> bool) -> Verdict {
    let rank = |status: TaskStatus| if status.ended() { 2 } else { status as u8 };
    must(rank(after.status) >= rank(before.status), || "a task went back".into())?;
    must(!before.status.ended() || before == after, || {
        "an ended task changed".into()
    })?;
    must(
        before.desired == Desired::Run || after.desired == Desired::Abort,
        || "an abort was taken back".into(),
    )?;
    for (old, new) in before.jobs.iter().zip(&after.jobs) {
        let rank = |status: JobStatus| if status.ended() { 3 } else { status as u8 };
        must(rank(new.status) >= rank(old.status) || renewed(new), || {
            format!("job {} went back", new.key)
        })?;
        must(!old.status.ended() || old == new, || {
            format!("ended job {} changed", new.key)
        })?;
        let (a, b) = (&old.attempt, &new.attempt);
        must(a.id == b.id && a.number == b.number, || {
            "an attempt was exchanged by an event".into()
        })?;
        must(b.status >= a.status && b.epoch >= a.epoch, || {
            format!("attempt {} went back", b.id)
        })?;
        must(a.status != AttemptStatus::Ended || a == b, || {
            format!("ended attempt {} changed", b.id)
        })?;
        must(a.agent.is_none() || a.agent == b.agent, || {
            format!("attempt {} changed hands", b.id)
        })?;
        for (a, b) in a.steps.iter().zip(&b.steps) {
            let rank = |status: StepStatus| if status.ended() { 2 } else { status as u8 };
            must(rank(b.status) >= rank(a.status), || {
                format!("step {} went back", b.name)
            })?;
            must(!a.status.ended() || a == b, || format!("ended step {} changed", b.name))?;
        }
    }
    Ok(())
}

/// A job and its attempt agree, and nothing handed out is without owner and lease.
fn whole(task: &TaskState, job: &JobState, renewed: bool) -> Verdict {
    let attempt = &job.attempt;
    let pair = (job.status, attempt.status);
    let agree = match pair {
        (JobStatus::Pending, AttemptStatus::Waiting) => attempt.agent.is_none(),
        (JobStatus::Pending, AttemptStatus::Ended) => {
            let tried_again = matches!(
                attempt.outcome,
                Some(Outcome::Lost | Outcome::TimedOut | Outcome::Failed)
            );
            renewed && tried_again && attempt.number <= i64::from(job.retry.limit)
        }
        (JobStatus::Preparing, AttemptStatus::Assigned | AttemptStatus::Preparing)
        | (JobStatus::Running, AttemptStatus::Running | AttemptStatus::Finalizing) => {
            attempt.agent.is_some() && attempt.lease_until.is_some() && attempt.assigned_at.is_some()
        }
        (ended, AttemptStatus::Ended) => ended.outcome() == attempt.outcome && attempt.outcome.is_some(),
        _ => false,
    };
    must(agree, || format!("job {} and its attempt disagree: {pair:?}", job.key))?;
    must(
        attempt.finished_at.is_some() == (attempt.status == AttemptStatus::Ended),
        || "an end without its time".into(),
    )?;
    must(job.finished_at.is_some() == job.status.ended(), || {
        "a job's end without its time".into()
    })?;
    let unmet = job
        .needs
        .iter()
        .any(|id| task.job(*id).is_some_and(|needed| needed.status != JobStatus::Passed));
    must(!unmet || attempt.agent.is_none(), || {
        format!("job {} was handed out before what it needs", job.key)
    })?;
    if task.desired == Desired::Abort {
        must(job.status != JobStatus::Pending, || {
            format!("job {} waits in an aborted task", job.key)
        })?;
        must(job.status.ended() || job.desired == Desired::Abort, || {
            format!("job {} is not told", job.key)
        })?;
    }
    if job.status.ended() && job.status != JobStatus::Passed {
        let sentence = job.reason.as_deref().is_some_and(|reason| reason.ends_with('.'));
        must(sentence, || {
            format!("job {} ended without a sentence: {:?}", job.key, job.reason)
        })?;
    }
    for step in &attempt.steps {
        let name = &step.name;
        must(attempt.status != AttemptStatus::Ended || step.status.ended(), || {
            format!("step {name} outlived")
        })?;
        must(step.finished_at.is_some() == step.status.ended(), || {
            format!("step {name} without its time")
        })?;
        must(
            step.finished_at.is_none() || step.started_at <= step.finished_at,
            || format!("step {name} took no time"),
        )?;
        must(
            step.finished_at.is_none() || step.finished_at <= latest(attempt),
            || format!("step {name} outlasted"),
        )?;
        must(step.console_from >= 0 && step.console_len >= 0, || {
            format!("step {name} has no extent")
        })?;
        if job.status == JobStatus::Passed && matches!(step.kind, StepKind::Setup | StepKind::Step) {
            let fine = match step.status {
                StepStatus::Passed | StepStatus::Skipped => true,
                StepStatus::Failed | StepStatus::TimedOut => step.allow_failure,
                _ => false,
            };
            must(fine, || {
                format!("job {} passed although {name} is {}", job.key, step.status)
            })?;
        }
    }
    Ok(())
}

fn latest(attempt: &AttemptState) -> Option<Timestamp> {
    attempt.finished_at.or(Some(Timestamp(i64::MAX)))
}

/// The rows named as changed, put over the rows from before, are the rows after.
fn rebuilt(before: &TaskState, after: &TaskState) -> Verdict {
    let found = changes(before, after);
    let mut built = before.clone();
    for job in &mut built.jobs {
        let old = job.attempt.clone();
        if let Some(new) = found.jobs.iter().find(|new| new.id == job.id) {
            *job = JobState {
                attempt: old,
                ..(*new).clone()
            };
        }
        let old = job.attempt.steps.clone();
        if let Some(new) = found.attempts.iter().find(|new| new.id == job.attempt.id) {
            job.attempt = AttemptState {
                steps: old,
                ..(*new).clone()
            };
        }
        for step in &mut job.attempt.steps {
            if let Some(new) = found.steps.iter().find(|new| new.id == step.id) {
                *step = (*new).clone();
            }
        }
    }
    if let Some(task) = found.task {
        built = TaskState {
            jobs: built.jobs,
            ..task.clone()
        };
    }
    must(&built == after, || "the changes are not the whole difference".into())
}
