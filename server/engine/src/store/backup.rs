//! A consistent copy of the SQLite database while a server writes it, and what a restored one needs before it is used.
//!
//! **Invariant:** a snapshot is one instant of the database; taking it holds up no writer. PostgreSQL has tools of its own.

use domain::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;

/// What a snapshot holds, as far as the files beside it need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The newest attempt in it: consoles of later ones are of no use.
    pub last_attempt: i64,
    /// The newest migration in it.
    pub migration: i64,
}

/// How far ids of attempts and steps jump at a restore: agents may hold some that were made after the backup, and those
/// must not mean anything else.
const JUMP: i64 = 1_000_000;

pub(super) async fn open(file: &Path, read_only: bool) -> sqlx::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(read_only)
        .busy_timeout(std::time::Duration::from_secs(30));
    SqliteConnection::connect_with(&options).await
}

/// Writes a copy of the database `from` into the new file `to` and syncs it.
///
/// # Errors
/// When either cannot be read or written.
pub async fn snapshot(from: &Path, to: &Path) -> sqlx::Result<Snapshot> {
    let mut c = open(from, true).await?;
    sqlx::query("VACUUM INTO $1")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut c)
        .await?;
    c.close().await?;
    std::fs::File::open(to)
        .and_then(|f| f.sync_all())
        .map_err(sqlx::Error::Io)?;
    let mut c = open(to, true).await?;
    let last_attempt = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM attempts")
        .fetch_one(&mut c)
        .await?;
    let migration = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut c)
        .await?;
    c.close().await?;
    Ok(Snapshot {
        last_attempt,
        migration,
    })
}

/// Whether a database file is whole: SQLite's own checks of pages and of foreign keys; the first complaint if not.
///
/// # Errors
/// When it cannot be read at all.
pub async fn complaint(file: &Path) -> sqlx::Result<Option<String>> {
    let mut c = open(file, true).await?;
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut c)
        .await?;
    let keys: Option<(String, Option<i64>)> =
        sqlx::query_as("SELECT \"table\", rowid FROM pragma_foreign_key_check LIMIT 1")
            .fetch_optional(&mut c)
            .await?;
    c.close().await?;
    if found != "ok" {
        return Ok(Some(found));
    }
    Ok(keys.map(|(table, row)| format!("row {} of {table} names something that is not there", row.unwrap_or(0))))
}

/// Makes a restored database ready for use: what was handed out has a whole lease to come back in, and new attempts never
/// take the id of one that was made after the backup.
///
/// # Errors
/// When it cannot be written.
pub async fn revive(file: &Path, now: Timestamp, lease_ms: i64) -> sqlx::Result<()> {
    let mut c = open(file, false).await?;
    let mut tx = c.begin().await?;
    sqlx::query("UPDATE attempts SET lease_until = $1 WHERE finished_at IS NULL AND agent_id IS NOT NULL")
        .bind(now.plus(lease_ms).0)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE sqlite_sequence SET seq = seq + $1 WHERE name IN ('attempts', 'steps')")
        .bind(JUMP)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    c.close().await
}
