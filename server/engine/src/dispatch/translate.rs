//! The protocol's words in the lifecycle's: two mirrors, so that neither package depends on the other.
//!
//! **Invariant:** nothing is decided here, and what an agent sends is bounded before it becomes a row.

use domain::lifecycle as life;
use protocol::{AttemptEvent, Exit};

/// Most bytes of a sentence an agent may write into a row.
const SENTENCE: usize = 2_000;

pub(super) fn fence(f: life::Fence) -> protocol::Fence {
    protocol::Fence {
        attempt: f.attempt,
        epoch: f.epoch,
    }
}

pub(super) fn held(f: protocol::Fence) -> life::Fence {
    life::Fence {
        attempt: f.attempt,
        epoch: f.epoch,
    }
}

/// Text of an agent for a row: bounded, without control characters.
pub(super) fn text(s: &str) -> String {
    let clean: String = s.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(SENTENCE) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

pub(super) fn event(e: &AttemptEvent) -> life::AgentEvent {
    match e {
        AttemptEvent::Preparing { executor } => life::AgentEvent::Preparing { executor: *executor },
        AttemptEvent::CheckedOut { .. } => life::AgentEvent::CheckedOut,
        AttemptEvent::Gap(_) => life::AgentEvent::OutputGap,
        AttemptEvent::StepStarted { step, from, at } => life::AgentEvent::StepStarted {
            step: *step,
            from: *from,
            at: *at,
        },
        AttemptEvent::StepEnded(end) => life::AgentEvent::StepEnded {
            step: end.step,
            exit: exit(&end.exit),
            until: end.until,
            at: end.at,
        },
        AttemptEvent::Ended { aborted, error, at, .. } => life::AgentEvent::Ended {
            aborted: *aborted,
            error: error.as_deref().map(text),
            at: *at,
        },
    }
}

fn exit(e: &Exit) -> life::Exit {
    match e {
        Exit::Exited(code) => life::Exit::Exited(*code),
        Exit::Signalled(n) => life::Exit::Signalled(*n),
        Exit::TimedOut(ms) => life::Exit::TimedOut(*ms),
        Exit::Aborted => life::Exit::Aborted,
        Exit::Failed(s) => life::Exit::Failed(text(s)),
        Exit::Lost(s) => life::Exit::Lost(text(s)),
        Exit::Skipped(s) => life::Exit::Skipped(text(s)),
    }
}
