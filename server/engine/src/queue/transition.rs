//! One change of one task: load, step, write what differs, tell what happened.
//!
//! **Invariant:** rows, events and a new attempt's rows are one transaction; a refused event writes nothing of its own.

use crate::store::tasks::{JOB_READY, load, new_attempt, save};
use crate::store::{Batch, Error, NewEvent, Result, Tx};
use domain::lifecycle::{Changes, Effect, Event, Refused, TaskState, changes, step};
use domain::{PlanId, TaskId, Timestamp};
use serde_json::json;

/// What became of some events of one task.
#[derive(Debug, Default)]
pub struct Applied {
    /// What follows outside; send it after the commit.
    pub effects: Vec<Effect>,
    /// For each event, in order: why it was refused, if it was.
    pub refused: Vec<Option<Refused>>,
    /// The task as it is now; `None` when there is none.
    pub task: Option<TaskState>,
}

/// Applies events to a task in order.
///
/// # Errors
/// When the database fails or a row does not read; refusals are in the answer.
pub async fn apply(
    tx: &mut Tx,
    id: TaskId,
    events: Vec<Event>,
    actor: Option<&str>,
    now: Timestamp,
) -> Result<Applied> {
    let Some((before, plan)) = load(tx, id).await? else {
        return Ok(Applied {
            refused: events.iter().map(|_| Some(Refused::Unknown)).collect(),
            ..Applied::default()
        });
    };
    let mut after = before.clone();
    let mut out = Applied::default();
    for event in events {
        match step(&mut after, event, now) {
            Ok(effects) => {
                out.effects.extend(effects);
                out.refused.push(None);
            }
            Err(why) => out.refused.push(Some(why)),
        }
    }
    write(tx, plan, &before, &after, actor, now);
    let mut kept = Vec::with_capacity(out.effects.len());
    for effect in std::mem::take(&mut out.effects) {
        match effect {
            Effect::NewAttempt {
                job,
                number,
                not_before,
            } => {
                let Some(j) = after.jobs.iter_mut().find(|j| j.id == job) else {
                    continue;
                };
                let fresh = new_attempt(tx, j, number, not_before, now).await?;
                j.attempt = j
                    .attempt
                    .following(fresh.attempt, &fresh.steps)
                    .map_err(|e| Error::corrupt("steps", e))?;
                kept.push(Effect::JobsReady { jobs: vec![job] });
            }
            Effect::JobsReady { jobs } => {
                let mut batch = Batch::default();
                for job in &jobs {
                    batch.each(&JOB_READY, [job.0.into(), now.0.into()]);
                }
                tx.later(batch);
                kept.push(Effect::JobsReady { jobs });
            }
            e => kept.push(e),
        }
    }
    out.effects = kept;
    tx.keep_task(&after, plan);
    out.task = Some(after);
    Ok(out)
}

fn write(tx: &mut Tx, plan: PlanId, before: &TaskState, after: &TaskState, actor: Option<&str>, now: Timestamp) {
    let found = changes(before, after);
    if found.is_empty() {
        return;
    }
    let mut batch = Batch::default();
    save(&mut batch, after.id, &found);
    tx.later(batch);
    tell(tx, plan, after, &found, actor, now);
}

/// The news of a change: one event per row that changed, steps and jobs with what a page needs to repaint.
fn tell(tx: &mut Tx, plan: PlanId, task: &TaskState, found: &Changes<'_>, actor: Option<&str>, at: Timestamp) {
    let mut emit = |kind, subject, id, body| {
        tx.emit(NewEvent {
            at,
            kind,
            subject,
            subject_id: id,
            task_id: Some(task.id),
            actor: actor.map(str::to_owned),
            body,
        });
    };
    for s in &found.steps {
        let job = task.jobs.iter().find(|j| j.attempt.steps.iter().any(|x| x.id == s.id));
        let body = json!({
            "job_id": job.map(|j| j.id), "attempt_id": job.map(|j| j.attempt.id), "kind": s.kind,
            "name": s.name, "status": s.status, "console_from": s.console_from,
        });
        emit(word("step", s.status.as_str()), "step", s.id.0, body);
    }
    for j in &found.jobs {
        let body = json!({
            "name": j.key, "status": j.status, "agent_id": j.attempt.agent, "attempt": j.attempt.number, "reason": j.reason,
        });
        emit(word("job", j.status.as_str()), "job", j.id.0, body);
    }
    if let Some(t) = found.task {
        let body = json!({ "plan_id": plan, "status": t.status, "desired": t.desired, "reason": t.reason });
        let kind = if !t.status.ended() && t.desired == domain::status::Desired::Abort {
            "task.aborting"
        } else {
            word("task", t.status.as_str())
        };
        emit(kind, "task", t.id.0, body);
    }
}

/// Event kinds are a closed set, so they need no allocation.
fn word(subject: &str, status: &str) -> &'static str {
    macro_rules! table {
        ($($s:literal: $($w:literal)*);* $(;)?) => {
            match (subject, status) { $($(($s, $w) => concat!($s, ".", $w),)*)* _ => "task.changed" }
        };
    }
    table! {
        "step": "pending" "running" "finalizing" "passed" "failed" "aborted" "timed_out" "lost" "skipped";
        "job": "pending" "preparing" "running" "passed" "failed" "aborted" "timed_out" "lost" "skipped";
        "task": "pending" "running" "passed" "failed" "aborted" "timed_out" "lost" "skipped";
    }
}
