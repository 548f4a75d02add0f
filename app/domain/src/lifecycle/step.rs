//! The transition function, and what comes from the server's own side: hand-out, abort, lease, deadline, source.
//!
//! **Invariant:** every event is checked whole before the first field is written, so a refused one changes nothing.

use super::settle::{self, End};
use super::{AttemptState, Effect, Event, Fence, Refused, TaskState, reason, report};
use crate::status::{AttemptStatus, Desired, JobStatus, Outcome, TaskStatus};
use crate::{AgentId, AttemptId, JobId, Timestamp};

/// Milliseconds after a lease has ended before the job may be handed out again: by then its old agent has surely
/// stopped what it ran, whatever its clock does.
pub const RESTART_MARGIN_MS: i64 = 60_000;

/// Applies an event to a task and says what follows outside. An event that already holds is accepted without effect, so
/// that resending is harmless.
///
/// # Errors
/// When the event may not or cannot happen now; the state is then unchanged.
pub fn step(state: &mut TaskState, event: Event, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    match event {
        Event::Assigned {
            job,
            agent,
            epoch,
            lease_until,
            timeout_ms,
        } => assigned(
            state,
            job,
            Hold {
                agent,
                epoch,
                lease_until,
                timeout_ms,
            },
            now,
        ),
        Event::Agent { fence, agent, event } => report::report(state, fence, agent, event, now),
        Event::LeaseExtended {
            fence,
            agent,
            lease_until,
        } => extended(state, fence, agent, lease_until),
        Event::AbortAsked { by } => abort_asked(state, &by, now),
        Event::LeaseExpired { attempt, heard } => lease_expired(state, attempt, heard, now),
        Event::AgentForgot { attempt, epoch } => agent_forgot(state, Fence { attempt, epoch }, now),
        Event::AgentRemoved { attempt, epoch } => agent_removed(state, Fence { attempt, epoch }, now),
        Event::AgentConfused { attempt, epoch, why } => agent_confused(state, Fence { attempt, epoch }, &why, now),
        Event::ClockMoved { by_ms, heard } => Ok(clock_moved(state, by_ms, &heard)),
        Event::DeadlinePassed { attempt } => deadline_passed(state, attempt, now),
        Event::SourceFailed { reason } => source_failed(state, reason, now),
    }
}

struct Hold {
    agent: AgentId,
    epoch: i64,
    lease_until: Timestamp,
    timeout_ms: Option<i64>,
}

fn assigned(state: &mut TaskState, job: JobId, hold: Hold, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    let Hold {
        agent,
        epoch,
        lease_until,
        timeout_ms,
    } = hold;
    let index = state.jobs.iter().position(|j| j.id == job).ok_or(Refused::Unknown)?;
    let found = &state.jobs[index];
    if found.status.ended() || state.status.ended() {
        return Err(Refused::Ended);
    }
    if found.attempt.holder() == Some(agent) && found.attempt.epoch == epoch {
        return Ok(Vec::new());
    }
    if found.attempt.holder().is_some() {
        return Err(Refused::NotReady(format!("{} is already handed out.", found.key)));
    }
    if !state.ready(found) {
        return Err(Refused::NotReady(reason::not_ready(state, found)));
    }
    if epoch <= found.attempt.epoch {
        return Err(Refused::Stale);
    }
    let job = &mut state.jobs[index];
    let attempt = &mut job.attempt;
    attempt.status = AttemptStatus::Assigned;
    attempt.agent = Some(agent);
    attempt.epoch = epoch;
    attempt.lease_until = Some(lease_until);
    attempt.deadline_at = timeout_ms.map(|ms| now.plus(ms));
    attempt.assigned_at = Some(now);
    job.status = JobStatus::Preparing;
    job.started_at = Some(now);
    job.reason = None;
    let fence = job.attempt.fence();
    if state.status == TaskStatus::Pending {
        state.status = TaskStatus::Running;
        state.started_at = Some(now);
        state.reason = None;
    }
    Ok(vec![Effect::Assign { agent, fence }])
}

fn extended(
    state: &mut TaskState,
    fence: Fence,
    agent: AgentId,
    lease_until: Timestamp,
) -> Result<Vec<Effect>, Refused> {
    let index = report::held_by(state, fence, agent)?;
    let attempt = &mut state.jobs[index].attempt;
    if attempt.status == AttemptStatus::Ended {
        return Err(Refused::Ended);
    }
    // A late heartbeat never shortens a hold.
    attempt.lease_until = attempt.lease_until.max(Some(lease_until));
    Ok(Vec::new())
}

fn abort_asked(state: &mut TaskState, by: &str, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    if state.status.ended() {
        return Err(Refused::Ended);
    }
    if state.desired == Desired::Abort {
        return Ok(Vec::new());
    }
    let reason = reason::aborted(by);
    state.desired = Desired::Abort;
    state.reason = Some(reason.clone());
    let mut effects = Vec::new();
    for job in state.jobs.iter_mut().filter(|job| !job.status.ended()) {
        job.desired = Desired::Abort;
        match job.attempt.holder() {
            Some(agent) => {
                job.reason = Some(reason.clone());
                effects.push(Effect::Abort {
                    agent,
                    fence: job.attempt.fence(),
                });
            }
            None => settle::close(job, Outcome::Aborted, Some(reason.clone()), now),
        }
    }
    if state.jobs.is_empty() {
        settle::end_task(state, Outcome::Aborted, now, &mut effects);
    }
    settle::settle(state, now, &mut effects);
    Ok(effects)
}

/// The job whose current attempt this is, which must be handed out and not ended.
fn held(state: &TaskState, attempt: AttemptId) -> Result<(usize, AgentId), Refused> {
    let index = state
        .jobs
        .iter()
        .position(|job| job.attempt.id == attempt)
        .ok_or(Refused::Stale)?;
    let found = &state.jobs[index].attempt;
    match found.holder() {
        Some(agent) => Ok((index, agent)),
        None if found.status == AttemptStatus::Ended => Err(Refused::Ended),
        None => Err(Refused::NotDue),
    }
}

/// When an agent that did not confirm the end has surely stopped what it ran.
fn surely_stopped(attempt: &AttemptState, now: Timestamp) -> Option<Timestamp> {
    Some(attempt.lease_until.unwrap_or(now).plus(RESTART_MARGIN_MS))
}

fn lease_expired(
    state: &mut TaskState,
    attempt: AttemptId,
    heard: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Effect>, Refused> {
    let (index, agent) = held(state, attempt)?;
    let job = &state.jobs[index];
    let until = job.attempt.lease_until.unwrap_or(now);
    if until > now {
        return Err(Refused::NotDue);
    }
    let end = match job.desired {
        Desired::Abort => End::of(Outcome::Aborted, job.reason.clone()),
        Desired::Run => End {
            not_before: surely_stopped(&job.attempt, now),
            ..End::of(Outcome::Lost, Some(reason::lease_ended(heard)))
        },
    };
    let mut effects = vec![Effect::Forget {
        agent,
        fence: job.attempt.fence(),
    }];
    settle::end_attempt(state, index, end, now, &mut effects);
    Ok(effects)
}

fn agent_forgot(state: &mut TaskState, fence: Fence, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    let (index, agent) = held(state, fence.attempt)?;
    let job = &state.jobs[index];
    if job.attempt.epoch != fence.epoch {
        return Err(Refused::Stale);
    }
    let end = match (job.desired, job.attempt.status) {
        (Desired::Abort, _) => End::of(Outcome::Aborted, job.reason.clone()),
        // It never said that it has it: the message was lost on its way, and is sent again.
        (Desired::Run, AttemptStatus::Assigned) => return Ok(vec![Effect::Assign { agent, fence }]),
        (Desired::Run, _) => End::of(Outcome::Lost, Some(reason::FORGOTTEN.into())),
    };
    let mut effects = Vec::new();
    settle::end_attempt(state, index, end, now, &mut effects);
    Ok(effects)
}

/// The agent may run it on until its lease ends: it is told to forget it, and may not hear that.
fn agent_removed(state: &mut TaskState, fence: Fence, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    taken_away(state, fence, reason::REMOVED.into(), now)
}

fn agent_confused(state: &mut TaskState, fence: Fence, why: &str, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    taken_away(state, fence, reason::confused(why), now)
}

/// The agent is there and is to have it no more.
fn taken_away(state: &mut TaskState, fence: Fence, why: String, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    let (index, agent) = held(state, fence.attempt)?;
    let job = &state.jobs[index];
    if job.attempt.epoch != fence.epoch {
        return Err(Refused::Stale);
    }
    let end = match job.desired {
        Desired::Abort => End::of(Outcome::Aborted, job.reason.clone()),
        Desired::Run => End {
            not_before: surely_stopped(&job.attempt, now),
            ..End::of(Outcome::Lost, Some(why))
        },
    };
    let mut effects = vec![Effect::Forget { agent, fence }];
    settle::end_attempt(state, index, end, now, &mut effects);
    Ok(effects)
}

fn clock_moved(state: &mut TaskState, by_ms: i64, heard: &[AgentId]) -> Vec<Effect> {
    let held = state.jobs.iter_mut().map(|job| &mut job.attempt);
    for attempt in held.filter(|attempt| attempt.holder().is_some()) {
        let connected = attempt.agent.is_some_and(|agent| heard.contains(&agent));
        attempt.lease_until = attempt
            .lease_until
            .map(|at| if connected { at } else { at.plus(by_ms) });
        attempt.deadline_at = attempt.deadline_at.map(|at| at.plus(by_ms));
    }
    Vec::new()
}

fn deadline_passed(state: &mut TaskState, attempt: AttemptId, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    let (index, agent) = held(state, attempt)?;
    let job = &state.jobs[index];
    if job.attempt.deadline_at.is_none_or(|deadline| deadline > now) {
        return Err(Refused::NotDue);
    }
    let end = match job.desired {
        Desired::Abort => End::of(Outcome::Aborted, job.reason.clone()),
        Desired::Run => End {
            not_before: surely_stopped(&job.attempt, now),
            ..End::of(Outcome::TimedOut, Some(reason::deadline(&job.attempt, false)))
        },
    };
    let mut effects = vec![Effect::Forget {
        agent,
        fence: job.attempt.fence(),
    }];
    settle::end_attempt(state, index, end, now, &mut effects);
    Ok(effects)
}

fn source_failed(state: &mut TaskState, reason: String, now: Timestamp) -> Result<Vec<Effect>, Refused> {
    match state.status {
        TaskStatus::Pending => {}
        TaskStatus::Running => return Err(Refused::OutOfOrder("The task already runs.".into())),
        _ => return Err(Refused::Ended),
    }
    let ready: Vec<bool> = state.jobs.iter().map(|job| state.ready(job)).collect();
    for (job, _) in state.jobs.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
        settle::close(job, Outcome::Failed, Some(reason.clone()), now);
    }
    let mut effects = Vec::new();
    settle::cascade(state, now);
    settle::end_task(state, Outcome::Failed, now, &mut effects);
    state.reason = Some(reason);
    Ok(effects)
}
