//! What can go wrong in the store.
//!
//! **Invariant:** absence is `Ok(None)`; a rule that refused inside a write travels as `Refused` and rolls that unit back.

use std::sync::Arc;

/// Result of a store call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a read or a write failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A unique constraint said no; its name, or table and columns.
    #[error("it clashes with {0}")]
    Conflict(String),
    /// A rule above the store refused; the unit is rolled back and the caller gets this back.
    #[error("{0}")]
    Refused(domain::Error),
    /// A row does not read as it was written.
    #[error("a row of {table} does not read as it was written: {what}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// What.
        what: String,
    },
    /// The disk is full or not writable: the person at the machine must act.
    #[error("the database cannot be written: {0}")]
    Disk(String),
    /// Any other fault of the database.
    #[error("the database failed: {0}")]
    Database(Arc<sqlx::Error>),
    /// The writer is gone: the server is stopping.
    #[error("the server is stopping")]
    Closed,
}

impl From<sqlx::Error> for Error {
    fn from(e: sqlx::Error) -> Self {
        if let sqlx::Error::Database(d) = &e {
            if d.is_unique_violation() {
                let what = d.constraint().map_or_else(|| d.message().to_owned(), str::to_owned);
                return Self::Conflict(what);
            }
            if d.code().is_some_and(|code| no_writing(&code)) {
                return Self::Disk(d.message().to_owned());
            }
        }
        Self::Database(Arc::new(e))
    }
}

/// Whether a database's code says that it cannot write at all.
fn no_writing(code: &str) -> bool {
    match code.len() {
        // PostgreSQL: disk full, read-only transaction, I/O error.
        5 => matches!(code, "53100" | "25006" | "58030"),
        // SQLITE_FULL 13, SQLITE_READONLY 8, SQLITE_IOERR 10, SQLITE_CANTOPEN 14, and their extended codes.
        _ => code.parse::<i64>().is_ok_and(|c| matches!(c & 0xff, 8 | 10 | 13 | 14)),
    }
}

impl From<domain::Error> for Error {
    fn from(e: domain::Error) -> Self {
        Self::Refused(e)
    }
}

impl Error {
    /// A row that does not read as it was written.
    pub fn corrupt(table: &'static str, what: impl ToString) -> Self {
        Self::Corrupt {
            table,
            what: what.to_string(),
        }
    }

    /// What the caller at a port is told: details go to tracing under an id.
    #[must_use]
    pub fn public(self) -> domain::Error {
        match self {
            Self::Refused(e) => e,
            Self::Conflict(what) => {
                domain::Error::Conflict(format!("It clashes with something that is there ({what})."))
            }
            Self::Disk(what) => domain::Error::Unavailable(format!(
                "The server cannot write its database: {what}. Nothing was changed; free disk space or mend permissions and try again."
            )),
            Self::Closed => domain::Error::Unavailable("The server is stopping. Try again in a moment.".into()),
            e @ (Self::Corrupt { .. } | Self::Database(_)) => {
                let id = fault_id();
                tracing::error!(fault = %id, error = %e, "Fault {id}: {e}");
                domain::Error::Internal(id)
            }
        }
    }
}

impl From<Error> for domain::Error {
    fn from(e: Error) -> Self {
        e.public()
    }
}

/// A short random id that ties a page to a line of tracing.
#[must_use]
pub fn fault_id() -> String {
    format!("{:08x}", rand::random::<u32>())
}
