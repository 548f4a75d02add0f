//! Opening: where the database is, its pragmas, its migrations.
//!
//! **Invariant:** a database newer than this binary is refused before a byte of it changes.

use super::{Db, Readers, Store};
use log::LevelFilter;
use sqlx::ConnectOptions as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A line of tracing for each statement costs more than the statement: only who asks for `sqlx::query=trace` gets them.
const STATEMENTS: LevelFilter = LevelFilter::Trace;

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file; made when absent, its folder must exist.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

/// Why the database could not be opened: one line for the person who started the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was written by a later version.
    #[error(
        "the database {0} was written by a newer version of caracal (migration {1}); start that version, or restore a backup"
    )]
    Newer(String, i64),
    /// A shipped migration was changed, or the database is not ours.
    #[error(
        "the database {0} does not match this binary's migrations ({1}); restore a backup or use the binary that made it"
    )]
    Foreign(String, String),
    /// It cannot be reached or written.
    #[error("the database {0} cannot be opened: {1}")]
    Unusable(String, String),
}

impl Location {
    fn shown(&self) -> String {
        match self {
            Self::Sqlite(p) => p.display().to_string(),
            // A URL holds a password.
            Self::Postgres(url) => PgConnectOptions::from_str(url).map_or_else(
                |_| "postgres://…".into(),
                |o| format!("postgres://{}/{}", o.get_host(), o.get_database().unwrap_or("")),
            ),
        }
    }
}

impl Store {
    /// Opens the database, brings its schema up to date and starts its writer.
    ///
    /// # Errors
    /// One sentence that says which database and why.
    pub async fn open(at: &Location) -> Result<Self, OpenError> {
        let shown = at.shown();
        let unusable = |e: sqlx::Error| OpenError::Unusable(shown.clone(), plain(&e));
        match at {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(5))
                    .pragma("cache_size", "-16000")
                    .pragma("temp_store", "memory")
                    .statement_cache_capacity(256)
                    .log_statements(STATEMENTS)
                    .log_slow_statements(LevelFilter::Off, Duration::MAX);
                let writer = SqlitePoolOptions::new()
                    .max_connections(1)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .connect_with(options.clone())
                    .await
                    .map_err(unusable)?;
                SQLITE.run(&writer).await.map_err(|e| migration(&shown, &e))?;
                let reader = Readers::open(options.create_if_missing(false).pragma("query_only", "on"))
                    .await
                    .map_err(|e| OpenError::Unusable(at.shown(), plain(&e)))?;
                let conn = writer
                    .acquire()
                    .await
                    .map_err(|e| OpenError::Unusable(at.shown(), plain(&e)))?;
                Ok(Self::start_sqlite(reader, writer, conn))
            }
            Location::Postgres(url) => {
                let options = PgConnectOptions::from_str(url)
                    .map_err(unusable)?
                    .log_statements(STATEMENTS)
                    .log_slow_statements(LevelFilter::Off, Duration::MAX);
                let pool = PgPoolOptions::new()
                    .max_connections(16)
                    .connect_with(options)
                    .await
                    .map_err(|e| OpenError::Unusable(at.shown(), plain(&e)))?;
                POSTGRES.run(&pool).await.map_err(|e| migration(&at.shown(), &e))?;
                Ok(Self::start(Db::Postgres(pool)))
            }
        }
    }

    /// Migration numbers and names of both databases, for the test that they agree.
    #[must_use]
    pub fn migrations() -> [Vec<(i64, String)>; 2] {
        [&SQLITE, &POSTGRES].map(|m| m.iter().map(|m| (m.version, m.description.to_string())).collect())
    }
}

fn migration(shown: &str, e: &MigrateError) -> OpenError {
    match e {
        MigrateError::VersionMissing(v) => OpenError::Newer(shown.to_owned(), *v),
        MigrateError::VersionMismatch(v) => OpenError::Foreign(shown.to_owned(), format!("migration {v} differs")),
        MigrateError::Dirty(v) => OpenError::Foreign(shown.to_owned(), format!("migration {v} was cut off half-way")),
        e => OpenError::Unusable(shown.to_owned(), e.to_string()),
    }
}

/// The database's own words, without the library's frame around them.
fn plain(e: &sqlx::Error) -> String {
    match e {
        sqlx::Error::Database(d) => d.message().to_owned(),
        e => e.to_string(),
    }
}
