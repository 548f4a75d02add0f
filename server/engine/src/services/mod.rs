//! The ports of `domain`, implemented: authorise, ask the store, answer with views.
//!
//! **Invariant:** every method decides by `domain::auth::authorize` before it reads or writes.

mod aborting;
pub mod access;
pub mod agents;
mod approving;
pub mod badges;
pub mod console;
mod ended;
pub mod events;
pub mod hooks;
pub mod plans;
pub mod queue;
pub mod repositories;
pub mod secrets;
pub mod tasks;
pub mod triggers;
mod waiting;
