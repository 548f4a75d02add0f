//! What this server asks of others because somebody wrote an address down: polls, plans in repositories, commit status
//! (reliability S21, S22).
//!
//! **Invariant:** nothing is connected to before its address was judged, and the address that was judged is the one
//! connected to; nothing asked here takes longer, or answers more, than its limits.

pub mod address;
pub mod client;
mod fault;
pub mod gate;
pub mod git;
mod guard;
pub mod page;
mod run;
mod tls;

pub use fault::{Fault, FaultKind};
pub use guard::{Guard, Lookup};
pub(crate) use run::{Answer as GitAnswer, Limits as GitLimits, run as run_git};
