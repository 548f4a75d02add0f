//! What an agent reports of an attempt: fenced, in order, and harmless when it comes twice.
//!
//! **Invariant:** only the holder of the present epoch changes an attempt; what it claims is checked against what is known.

use super::settle::{self, End};
use super::{AgentEvent, AttemptState, Effect, Exit, Fence, JobState, Refused, StepState, TaskState, reason};
use crate::status::{AttemptStatus, Desired, ExecutorKind, JobStatus, Outcome, StepKind, StepStatus};
use crate::{AgentId, StepId, Timestamp};

/// The job whose current attempt this agent holds by this fence, ended or not.
pub(super) fn held_by(state: &TaskState, fence: Fence, agent: AgentId) -> Result<usize, Refused> {
    let index = state
        .jobs
        .iter()
        .position(|job| job.attempt.id == fence.attempt)
        .ok_or(Refused::Stale)?;
    let attempt = &state.jobs[index].attempt;
    if attempt.agent != Some(agent) {
        return Err(Refused::NotYours);
    }
    if attempt.epoch != fence.epoch {
        return Err(Refused::Stale);
    }
    Ok(index)
}

/// Applies one report.
pub(super) fn report(
    state: &mut TaskState,
    fence: Fence,
    agent: AgentId,
    event: AgentEvent,
    now: Timestamp,
) -> Result<Vec<Effect>, Refused> {
    let index = held_by(state, fence, agent)?;
    let job = &mut state.jobs[index];
    if job.attempt.status == AttemptStatus::Ended {
        // A lease still set tells that the server ended it, not its agent: nothing the agent says of it counts.
        let confirmed = job.attempt.lease_until.is_none();
        return if confirmed && holds(&job.attempt, &event) {
            Ok(Vec::new())
        } else {
            Err(Refused::Ended)
        };
    }
    if holds(&job.attempt, &event) {
        return Ok(Vec::new());
    }
    match event {
        AgentEvent::Preparing { executor } => preparing(job, executor)?,
        AgentEvent::OutputGap if job.attempt.status < AttemptStatus::Preparing => {
            return Err(out_of_order(
                "A gap in the output was reported before the preparation began.",
            ));
        }
        AgentEvent::OutputGap => {}
        AgentEvent::CheckedOut => return Err(out_of_order("The checkout was reported before the preparation began.")),
        AgentEvent::StepStarted { step, from, at } => step_started(job, step, from, at, now)?,
        AgentEvent::StepEnded { step, exit, until, at } => step_ended(job, step, exit, until, at, now)?,
        AgentEvent::Ended { aborted, error, at: _ } => {
            let mut effects = Vec::new();
            let end = End {
                confirmed: true,
                ..verdict(job, aborted, error, now)
            };
            settle::end_attempt(state, index, end, now, &mut effects);
            return Ok(effects);
        }
    }
    // It goes on although its end is wanted: it may not have heard.
    let aborting = job.desired == Desired::Abort;
    Ok(if aborting {
        vec![Effect::Abort { agent, fence }]
    } else {
        Vec::new()
    })
}

fn out_of_order(sentence: &str) -> Refused {
    Refused::OutOfOrder(sentence.into())
}

/// Whether the event is known already: it was sent again because its acknowledgement was lost.
fn holds(attempt: &AttemptState, event: &AgentEvent) -> bool {
    let find = |id: StepId| attempt.steps.iter().find(|step| step.id == id);
    match event {
        AgentEvent::Preparing { executor } => attempt.executor == Some(*executor),
        AgentEvent::CheckedOut => attempt.executor.is_some(),
        AgentEvent::OutputGap => attempt.status == AttemptStatus::Ended,
        AgentEvent::StepStarted { step, from, .. } => {
            find(*step).is_some_and(|s| s.started_at.is_some() && u64::try_from(s.console_from) == Ok(*from))
        }
        AgentEvent::StepEnded { step, exit, until, .. } => find(*step).is_some_and(|s| {
            let until_same = || u64::try_from(s.console_from + s.console_len) == Ok(*until);
            s.status.ended() && ended_so(s, exit) && (s.started_at.is_none() || until_same())
        }),
        AgentEvent::Ended { .. } => attempt.status == AttemptStatus::Ended,
    }
}

fn ended_so(step: &StepState, exit: &Exit) -> bool {
    match exit {
        Exit::Exited(code) => step.exit_code == Some(*code),
        Exit::Signalled(signal) => step.signal == Some(*signal),
        Exit::TimedOut(_) => step.status == StepStatus::TimedOut,
        // What never began is skipped for us, whichever word its agent has for it.
        Exit::Aborted => {
            step.status == StepStatus::Aborted || step.status == StepStatus::Skipped && step.started_at.is_none()
        }
        Exit::Failed(_) => step.status == StepStatus::Failed,
        Exit::Lost(_) => step.status == StepStatus::Lost,
        Exit::Skipped(_) => step.status == StepStatus::Skipped,
    }
}

fn preparing(job: &mut JobState, executor: ExecutorKind) -> Result<(), Refused> {
    if job.attempt.status != AttemptStatus::Assigned {
        return Err(out_of_order("It is already being run by another executor."));
    }
    job.attempt.status = AttemptStatus::Preparing;
    job.attempt.executor = Some(executor);
    Ok(())
}

/// Set-up and the plan's steps run one after the other; services beside them; clean-up after them.
fn serial(kind: StepKind) -> bool {
    matches!(kind, StepKind::Setup | StepKind::Step)
}

/// Finds a step whose turn it is: all that come before it have ended.
fn in_turn(attempt: &AttemptState, id: StepId) -> Result<usize, Refused> {
    if attempt.status < AttemptStatus::Preparing {
        return Err(out_of_order("A step was reported before the preparation began."));
    }
    let index = attempt
        .steps
        .iter()
        .position(|step| step.id == id)
        .ok_or(Refused::Unknown)?;
    let step = &attempt.steps[index];
    let before = |other: &&StepState| serial(other.kind) && (other.kind, other.ordinal) < (step.kind, step.ordinal);
    match attempt.steps.iter().filter(before).find(|other| !other.status.ended()) {
        Some(other) if step.kind != StepKind::Service => Err(Refused::OutOfOrder(format!(
            "{} was reported before {} ended.",
            reason::short(&step.name),
            reason::short(&other.name)
        ))),
        _ => Ok(index),
    }
}

/// An agent's clock is believed only between the latest instant known of this attempt and now.
fn believed(attempt: &AttemptState, at: Timestamp, now: Timestamp) -> Timestamp {
    let steps = attempt
        .steps
        .iter()
        .flat_map(|step| [step.started_at, step.finished_at]);
    let latest = steps.chain([attempt.assigned_at]).flatten().max().unwrap_or(now);
    if at >= latest && at <= now { at } else { now.max(latest) }
}

fn offset(bytes: u64) -> Result<i64, Refused> {
    i64::try_from(bytes).map_err(|_| out_of_order("An offset of the output is beyond all measure."))
}

fn step_started(job: &mut JobState, id: StepId, from: u64, at: Timestamp, now: Timestamp) -> Result<(), Refused> {
    let attempt = &job.attempt;
    let index = in_turn(attempt, id)?;
    let (kind, status) = (attempt.steps[index].kind, attempt.steps[index].status);
    if status != StepStatus::Pending {
        return Err(out_of_order("A step cannot begin twice."));
    }
    let from = offset(from)?;
    let one_file = attempt.steps.iter().filter(|step| step.kind != StepKind::Service);
    let end = one_file
        .map(|step| step.console_from + step.console_len)
        .max()
        .unwrap_or(0);
    if kind != StepKind::Service && from < end {
        return Err(out_of_order(
            "The output of a step cannot begin inside that of an earlier one.",
        ));
    }
    let at = believed(attempt, at, now);
    let step = &mut job.attempt.steps[index];
    step.status = StepStatus::Running;
    step.started_at = Some(at);
    step.console_from = from;
    if kind == StepKind::Step && job.attempt.status == AttemptStatus::Preparing {
        job.attempt.status = AttemptStatus::Running;
        job.attempt.started_at = Some(at);
        job.status = JobStatus::Running;
    }
    Ok(())
}

fn step_ended(
    job: &mut JobState,
    id: StepId,
    exit: Exit,
    until: u64,
    at: Timestamp,
    now: Timestamp,
) -> Result<(), Refused> {
    let attempt = &job.attempt;
    let index = in_turn(attempt, id)?;
    let step = &attempt.steps[index];
    let until = offset(until)?;
    match step.status {
        StepStatus::Running if until >= step.console_from => {}
        StepStatus::Running => return Err(out_of_order("The output of a step cannot end before it begins.")),
        StepStatus::Pending if !matches!(exit, Exit::Exited(_) | Exit::Signalled(_)) => {}
        StepStatus::Pending => return Err(out_of_order("A command cannot end before it began.")),
        _ => return Err(out_of_order("A step cannot end twice.")),
    }
    let at = believed(attempt, at, now);
    let step = &mut job.attempt.steps[index];
    if step.status == StepStatus::Running {
        step.console_len = until - step.console_from;
    }
    step.finished_at = Some(at);
    (step.status, step.exit_code, step.signal, step.error) = match exit {
        Exit::Exited(0) => (StepStatus::Passed, Some(0), None, None),
        Exit::Exited(code) => (StepStatus::Failed, Some(code), None, None),
        Exit::Signalled(signal) => (StepStatus::Failed, None, Some(signal), None),
        Exit::TimedOut(ms) => (StepStatus::TimedOut, None, None, Some(reason::timed_out(ms))),
        Exit::Aborted => (StepStatus::Aborted, None, None, None),
        Exit::Failed(sentence) => (StepStatus::Failed, None, None, Some(sentence)),
        Exit::Lost(sentence) => (StepStatus::Lost, None, None, Some(sentence)),
        Exit::Skipped(why) => (StepStatus::Skipped, None, None, Some(why)),
    };
    let step = step.clone();
    if serial(step.kind) && broke(&step) {
        let why = reason::skipped_step(&step);
        for later in job
            .attempt
            .steps
            .iter_mut()
            .filter(|s| serial(s.kind) && s.status == StepStatus::Pending)
        {
            settle::skip(later, &why, at);
        }
    }
    if job
        .attempt
        .steps
        .iter()
        .filter(|s| serial(s.kind))
        .all(|s| s.status.ended())
    {
        job.attempt.status = AttemptStatus::Finalizing;
        job.status = JobStatus::Running;
    }
    Ok(())
}

/// Whether a step's end ends its job.
fn broke(step: &StepState) -> bool {
    match step.status {
        StepStatus::Failed | StepStatus::TimedOut => !step.allow_failure,
        StepStatus::Aborted | StepStatus::Lost => true,
        _ => false,
    }
}

/// How a job ended whose agent says that all is over.
fn verdict(job: &JobState, aborted: bool, error: Option<String>, now: Timestamp) -> End {
    let mut steps: Vec<&StepState> = job.attempt.steps.iter().filter(|step| serial(step.kind)).collect();
    steps.sort_by_key(|step| (step.kind, step.ordinal));
    let with = |status| steps.iter().find(|step| step.status == status && broke(step));
    let cut_off = steps.iter().find(|step| !step.status.ended());
    let hit = aborted || error.is_some() || cut_off.is_some() || with(StepStatus::Aborted).is_some();
    if job.desired == Desired::Abort && hit {
        return End::of(Outcome::Aborted, job.reason.clone());
    }
    for (status, outcome) in [
        (StepStatus::Lost, Outcome::Lost),
        (StepStatus::TimedOut, Outcome::TimedOut),
        (StepStatus::Failed, Outcome::Failed),
    ] {
        if let Some(step) = with(status) {
            return End::of(outcome, Some(reason::step_broke(step)));
        }
    }
    if aborted || with(StepStatus::Aborted).is_some() {
        let out_of_time = job.attempt.deadline_at.is_some_and(|deadline| deadline <= now)
            || steps.iter().any(|step| step.status == StepStatus::TimedOut);
        return if out_of_time {
            End::of(Outcome::TimedOut, Some(reason::deadline(&job.attempt, true)))
        } else {
            End::of(Outcome::Lost, Some(error.unwrap_or_else(|| reason::UNASKED.into())))
        };
    }
    match (error, cut_off) {
        (Some(sentence), _) => End::of(Outcome::Failed, Some(sentence)),
        (None, Some(step)) => End::of(Outcome::Lost, Some(reason::cut_off(step))),
        (None, None) => End::of(Outcome::Passed, None),
    }
}
