//! Persistence: one enum of two databases, one way to write, nouns as modules of functions named by intent.
//!
//! **Invariant:** the store reads no clock and knows no rule; times and ids of others are arguments, and every write goes
//! through [`Store::write`].

pub mod agent_tokens;
pub mod agents;
pub mod audit;
pub mod backup;
pub mod badges;
mod batch;
pub mod firings;
pub mod follow;
pub mod hooks;
pub mod logins;
mod orphans;
pub mod replays;
pub mod repositories;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod tokens;
pub mod users;

mod db;
pub mod deliveries;
mod error;
mod events;
mod kept;
mod open;
pub mod places;
pub mod plans;
mod readers;
pub mod tasks;
pub mod triggers;
mod tx;
mod write;

pub use batch::{Batch, Value};
pub use db::Db;
pub use error::{Error, Result, fault_id};
pub use events::NewEvent;
pub use open::{Location, OpenError};
pub use orphans::orphans;
pub use readers::{Reader, Readers};
pub use tx::Tx;
pub use write::Store;

pub(in crate::store) use tasks::word as tasks_word;

pub(crate) use db::{on, on_tx};
