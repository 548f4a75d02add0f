//! Tasks, jobs, attempts and steps in the database.
//!
//! **Invariant:** a row's status changes only by [`save`], from what `lifecycle::step` made of what [`load`] read.

pub mod held;
mod insert;
mod list;
mod runnable;
mod running;
mod state;
mod view;
mod waiting;

// For the comparison of debug builds alone.
#[cfg(debug_assertions)]
pub(in crate::store) use state::read;
pub(in crate::store) use view::word;

pub use held::{Resolving, resolving};
pub use insert::{NewJob, NewStep, NewTask, Snapshot, insert, snapshot};
pub use list::{Listed, list};
pub use runnable::{Runnable, runnable};
pub use running::{counts, running};
pub(crate) use state::{CONSOLE_ENDED, CONSOLE_MEASURE, JOB_READY, STEP_LINES, handed_out};
pub use state::{Fresh, load, load_by_attempt, new_attempt, save};
pub use view::{attempts_of, ended_so, job_task, view, views};
pub use waiting::{Waiting, WaitingFilter, demands, held_back, ready, waiting_all};
