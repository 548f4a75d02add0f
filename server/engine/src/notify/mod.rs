//! What this server tells others of what happens here.
//!
//! **Invariant:** what is to be told is a row before anybody is told, and stays one until it was, or cannot be.

pub mod sent;
mod statuses;

pub use statuses::Statuses;
