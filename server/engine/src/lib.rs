//! The engine: store, events, queue, scheduler, dispatch, console and the services behind the ports.
//!
//! **Invariant:** calls go down this list and news comes back as rows in `events`; every write is one `store.write`.

pub mod assembly;
pub mod auth;
pub mod clock;
pub mod console;
pub mod dispatch;
pub mod notify;
pub mod outgoing;
pub mod queue;
pub mod remotes;
pub mod scheduler;
pub mod services;
pub mod space;
pub mod store;
pub mod triggers;
