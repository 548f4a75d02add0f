//! What the tests share: databases, an engine over a temporary folder, and an agent that says only what it is told to.

mod agent;
mod database;
mod disk;
mod postgres;
mod repository;
mod world;

pub use agent::FakeAgent;
pub(crate) use database::on_both;
pub use database::{Database, skipped};
pub use disk::TinyDisk;
pub use postgres::empty_database;
pub use repository::Repository;
pub use world::{NOW, World, viewer};
