//! A step's end, from the shim's words to the protocol's.
//!
//! **Invariant:** a step that was ended from outside is lost, never failed: it is not the step's doing.

use crate::executor::ExecError;
use protocol::Exit;
use shim::wire::{By, End, Exit as Found};
use std::time::Duration;

/// The exit of a step that was given so many milliseconds; `None` when it never started. `outside` says who may have
/// ended its shim.
pub(in crate::executor) fn exit(end: &End, limit_ms: Option<i64>, outside: &str) -> Option<Result<Exit, ExecError>> {
    let code = match &end.exit {
        Found::Exited(code) => Exit::Exited((*code).into()),
        Found::Signalled(signal) => Exit::Signalled((*signal).into()),
        Found::NotStarted { .. } => return None,
    };
    Some(match end.by {
        Some(By::Time) => Ok(Exit::TimedOut(limit_ms.unwrap_or_default())),
        Some(By::Lease) => Err(ExecError::EngineGone(
            "The agent was not there to renew its lease, and the step was ended.".into(),
        )),
        Some(By::Outside) => Err(ExecError::EngineGone(format!(
            "The step was ended from outside: {outside}."
        ))),
        Some(By::Agent) | None => Ok(code),
    })
}

/// A time since boot as the shim is told it.
pub(in crate::executor) fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}
