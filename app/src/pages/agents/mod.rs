//! Agents: who runs jobs, what runs on them, and pausing one.
//!
//! **Invariant:** what an agent says of itself is text, never markup.

pub mod api;
mod list;
mod row;
mod state;

pub use list::AgentList;
