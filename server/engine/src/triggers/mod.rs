//! Triggers: what starts tasks by itself.
//!
//! **Invariant:** nothing that came from outside is stored before it has proved where it came from; whatever a trigger
//! does about something it does once.

pub(crate) mod cron;
pub mod intake;
pub mod poll;
mod rate;
mod run;
pub mod signature;
pub(crate) mod start;
mod upstream;

pub use run::Triggers;
pub use start::Starter;
