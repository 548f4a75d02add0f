//! The pages, a folder per noun: the view, and in `api.rs` the server functions it calls.
//!
//! **Invariant:** a server function gets the viewer, calls one port and returns.

pub mod agents;
pub mod hooks;
pub mod login;
pub mod me;
pub mod plans;
pub mod queue;
pub mod repositories;
pub mod secrets;
pub mod setup;
pub mod tasks;
pub mod triggers;
