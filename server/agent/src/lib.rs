//! The agent: takes assignments over `/agent`, runs them by an executor, and brings their output home.
//!
//! **Invariant:** it never opens the database, and output is in its spool before it is anywhere else.

pub mod clock;
pub mod config;
mod connection;
pub mod executor;
pub mod facts;
mod outbox;
mod run;
pub mod spool;
mod worker;

pub use config::{Choice, Config, Executors};
pub use run::{Stop, run};
