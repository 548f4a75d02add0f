//! The queue: how tasks come to be and how their states change, each in one transaction.
//!
//! **Invariant:** a state changes only in [`apply`], by `lifecycle::step`; what follows outside leaves as effects, and only
//! after the transaction committed.

pub mod approval;
mod enqueue;
mod outward;
mod resolve;
mod transition;

pub use enqueue::Making;
pub(crate) use enqueue::{again, create, short};
pub use outward::Outward;
pub use resolve::Resolver;
pub use transition::{Applied, apply};
