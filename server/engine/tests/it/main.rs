//! The engine over real databases (SQLite, and PostgreSQL where there is one) and real sessions with a fake agent: one binary, one module per area.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop there")]

mod agents;
mod badges;
mod care;
mod clock;
mod conformance;
mod consoles;
mod dispatch;
mod faults;
mod gaps;
mod in_repository;
mod migrations;
mod polls;
mod queue;
mod reports;
mod rerun;
mod retries;
mod source;
mod statuses;
mod store;
mod support;
mod triggers;
mod users;
mod webhooks;
