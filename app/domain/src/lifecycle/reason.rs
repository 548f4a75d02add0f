//! The sentences that say what broke or why something waits: short, concrete, without times that grow stale.
//!
//! **Invariant:** each is one sentence that names what it is about and ends with a full stop, unless its agent wrote it.

use super::{AttemptState, JobState, RetryOn, StepState, TaskState};
use crate::Timestamp;
use crate::status::{JobStatus, Outcome, StepStatus};
use crate::time::human_duration;
use std::borrow::Cow;

pub(super) const FORGOTTEN: &str = "The agent came back without this job.";
pub(super) const REMOVED: &str = "Its agent was removed while it held this job.";
pub(super) const UNASKED: &str = "The agent stopped it without being asked.";
pub(super) const NOT_REACHED: &str = "Skipped: the job ended before it.";

/// Nobody renewed the lease of an attempt.
pub(super) fn lease_ended(heard: Option<Timestamp>) -> String {
    match heard {
        Some(at) => format!(
            "Its agent was not heard again after {}, and its lease ended.",
            at.to_words()
        ),
        None => "Its agent was not heard again before its lease ended.".into(),
    }
}

/// The holder of an attempt reported what cannot be.
pub(super) fn confused(why: &str) -> String {
    format!("Its agent reported what cannot be: {why}")
}

/// Who ended it.
pub(super) fn aborted(by: &str) -> String {
    format!("Aborted by {by}.")
}

/// A name that fits into a sentence: steps without a name are called by their command.
pub(super) fn short(name: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    let line = name.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", line[..end].trim_end())),
        None => Cow::Borrowed(line),
    }
}

/// What a step that ran past its time says of itself.
pub(super) fn timed_out(allowed_ms: i64) -> String {
    format!("It ran past the {} it was allowed.", human_duration(allowed_ms))
}

/// What a step that broke its job says of it.
pub(super) fn step_broke(step: &StepState) -> String {
    let name = short(&step.name);
    if let Some(code) = step.exit_code {
        return format!("{name} ended with exit code {code}.");
    }
    if let Some(signal) = step.signal {
        return match signal_name(signal) {
            Some(word) => format!("{name} was killed by signal {signal} ({word})."),
            None => format!("{name} was killed by signal {signal}."),
        };
    }
    match (&step.error, step.status) {
        (Some(error), StepStatus::TimedOut) => match error.strip_prefix("It ") {
            Some(rest) => format!("{name} {rest}"),
            None => error.clone(),
        },
        (Some(error), _) => error.clone(),
        (None, StepStatus::Lost) => format!("{name} was lost."),
        (None, _) => format!("{name} failed."),
    }
}

fn signal_name(signal: i64) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        5 => "TRAP",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        31 => "SYS",
        _ => return None,
    })
}

/// The whole attempt ran past its time.
pub(super) fn deadline(attempt: &AttemptState, confirmed: bool) -> String {
    let allowed = attempt
        .deadline_at
        .zip(attempt.assigned_at)
        .map(|(until, from)| human_duration(until.since(from)));
    let allowed = allowed.map_or("its time".to_owned(), |time| format!("the {time} it was allowed"));
    if confirmed {
        format!("The job ran past {allowed}.")
    } else {
        format!("The job ran past {allowed}, and its agent did not confirm that it stopped.")
    }
}

/// The agent ended an attempt with a step still open.
pub(super) fn cut_off(step: &StepState) -> String {
    let name = short(&step.name);
    match step.status {
        StepStatus::Pending => format!("The agent ended it without running {name}."),
        _ => format!("The agent ended it without saying how {name} ended."),
    }
}

/// How something ended, after "which".
fn which(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Failed => "failed",
        JobStatus::TimedOut => "timed out",
        JobStatus::Lost => "was lost",
        JobStatus::Aborted => "was aborted",
        JobStatus::Skipped => "was skipped",
        JobStatus::Passed => "passed",
        JobStatus::Pending | JobStatus::Preparing | JobStatus::Running => "has not ended",
    }
}

/// Why a job is skipped.
pub(super) fn skipped_job(needed: &JobState) -> String {
    format!("Skipped: it needs {}, which {}.", needed.key, which(needed.status))
}

/// Why the steps after a broken one are skipped.
pub(super) fn skipped_step(broke: &StepState) -> String {
    let how = match broke.status {
        StepStatus::TimedOut => "timed out",
        StepStatus::Aborted => "was aborted",
        StepStatus::Lost => "was lost",
        _ => "failed",
    };
    format!("Skipped: {} {how}.", short(&broke.name))
}

/// An attempt that did not pass is followed by another.
pub(super) fn again(number: i64, end: RetryOn, limit: u32) -> String {
    let how = match end {
        RetryOn::AgentLost => "was lost".to_owned(),
        RetryOn::Exit(code) => format!("ended with exit code {code}"),
        RetryOn::TimedOut => "timed out".to_owned(),
        RetryOn::Failed => "failed".to_owned(),
    };
    format!(
        "Attempt {number} {how}; waits for attempt {} of {}.",
        number + 1,
        i64::from(limit) + 1
    )
}

/// Why a job cannot be handed out.
pub(super) fn not_ready(state: &TaskState, job: &JobState) -> String {
    match state.unmet(job).next() {
        Some(needed) => format!("{} needs {}, which {}.", job.key, needed.key, which(needed.status)),
        None => format!("{} does not wait for an agent now.", job.key),
    }
}

/// What broke a task, in one sentence: the first job of the worst outcome, and how many more did not pass.
pub(super) fn task(state: &TaskState, outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Passed => return None,
        Outcome::Skipped => return Some("Every job was skipped.".into()),
        _ => {}
    }
    let worst = state.jobs.iter().filter(|job| job.status == outcome.into());
    let first = worst.min_by_key(|job| job.finished_at)?;
    let reason = first
        .reason
        .clone()
        .unwrap_or_else(|| format!("{} {}.", first.key, which(first.status)));
    let sentence = if state.jobs.len() == 1 {
        reason
    } else {
        in_job(first, &reason)
    };
    let broke = |job: &&JobState| job.status.ended() && !matches!(job.status, JobStatus::Passed | JobStatus::Skipped);
    Some(match state.jobs.iter().filter(broke).count() {
        0 | 1 => sentence,
        2 => format!("{}; one more job did not pass.", sentence.trim_end_matches('.')),
        n => format!("{}; {} more jobs did not pass.", sentence.trim_end_matches('.'), n - 1),
    })
}

/// A job's reason, saying whose it is: "unit ended …" becomes "unit in test ended …".
fn in_job(job: &JobState, reason: &str) -> String {
    let named = job.attempt.steps.iter().find_map(|step| {
        let name = short(&step.name);
        let rest = reason.strip_prefix(&*name)?.strip_prefix(' ')?;
        (!name.is_empty() && step.status.ended()).then(|| format!("{name} in {} {rest}", job.key))
    });
    named.unwrap_or_else(|| format!("{}: {reason}", job.key))
}
