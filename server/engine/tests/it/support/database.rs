//! The two databases a test can be run on, and the macro that runs one test on both.
//!
//! **Invariant:** each test has a database of its own, migrated and empty.

use super::postgres;
use engine::store::{Location, Store};
use std::io::Write as _;
use tempfile::TempDir;

/// A fresh database and the folder beside it.
pub struct Database {
    /// A folder of the test's own; SQLite's file lies in it.
    pub dir: TempDir,
    /// Where the database is.
    pub at: Location,
}

impl Database {
    /// A SQLite file.
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = Location::Sqlite(dir.path().join("caracal.db"));
        Self { dir, at }
    }

    /// A database of the PostgreSQL that the tests share; `None` when there is none on this machine.
    pub async fn postgres() -> Option<Self> {
        let at = postgres::database().await?;
        Some(Self {
            dir: tempfile::tempdir().unwrap(),
            at,
        })
    }

    /// Opens it.
    pub async fn open(&self) -> Store {
        Store::open(&self.at).await.unwrap()
    }
}

/// Says that something was not tested and why, past the test runner's capture.
pub fn skipped(what: &str) {
    let _ = std::io::stderr().write_all(format!("\n*** NOT TESTED: {what}\n").as_bytes());
}

/// Makes of each `async fn name(Database)` a test on SQLite and one on PostgreSQL. A function that is forgotten here is
/// an unused one, and the compiler says so.
#[allow(unused_macros, reason = "one of the test binaries asks for SQLite alone")]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::support::Database::sqlite()).await;
            }
            #[tokio::test]
            async fn postgres() {
                if let Some(database) = $crate::support::Database::postgres().await {
                    super::$name(database).await;
                }
            }
        })*
    };
}

pub(crate) use on_both;
