//! The program `caracal`: command line, settings, doors and the composition of a server.
//!
//! **Invariant:** only this package knows every other; nothing here decides what the engine or the agent should.

pub mod backup;
pub mod cli;
pub mod data;
pub mod serve;
pub mod settings;
mod tracing_output;
pub mod web;
