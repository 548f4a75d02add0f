//! The agent: takes assignments over `/agent`, runs them by an executor, and brings their output home.
//!
//! **Invariant:** it never opens the database, and output is in its spool before it is anywhere else.

pub mod address;
pub mod clock;
pub mod config;
mod connection;
pub mod doctor;
mod end;
pub mod executor;
pub mod facts;
mod halt;
pub mod identity;
mod load;
mod outbox;
mod run;
pub mod spool;
mod worker;

pub use config::{Choice, Config, Executors};
pub use connection::{Registration, check_authorities, register};
pub use end::End;
pub use run::{Stop, run};
