//! The one place where states change (DESIGN §4): `step(state, event, now)` alters a task's rows in memory and says what
//! must happen outside. The engine loads the rows, steps, writes what [`changes`] finds and acts on the effects.
//!
//! **Invariant:** states only move forward; a job has one live attempt; a refused event changes nothing; an event that
//! already holds is taken without effect.

mod changes;
mod event;
mod reason;
mod report;
mod settle;
mod state;
mod step;

#[cfg(test)]
pub(crate) mod simulator;
#[cfg(test)]
mod tests;

pub use crate::plan::{Retry, RetryOn};
pub use changes::{Changes, changes};
pub use event::{AgentEvent, Effect, Event, Exit, Refused};
pub use state::{AttemptState, Fence, JobState, StepState, TaskState};
pub use step::{RESTART_MARGIN_MS, step};
