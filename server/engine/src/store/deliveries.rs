//! What is to be told to others: rows that wait until it was.
//!
//! **Invariant:** what is told is one row by its key; of what supersedes each other the newest alone waits.

use super::{Result, Store, Tx, on, on_tx};
use domain::{RepositoryId, TaskId, Timestamp};
use sqlx::AssertSqlSafe;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The event it follows from.
    pub event: i64,
    /// Who tells: `status`.
    pub sink: &'static str,
    /// To whom: the repository's id, of statuses.
    pub to: i64,
    /// The task it is about.
    pub task: TaskId,
    /// What it is about, once for all: `status:12:passed`.
    pub key: String,
    /// What those begin with that it supersedes: `status:12:`.
    pub supersedes: String,
    /// What is told, JSON.
    pub payload: String,
}

/// Something that waits to be told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// Its id.
    pub id: i64,
    /// To whom.
    pub sink_id: Option<i64>,
    /// The task it is about.
    pub task_id: Option<i64>,
    /// What it is about.
    pub key: String,
    /// What is told, JSON.
    pub payload: String,
    /// How often it was tried.
    pub tries: i64,
}

/// Puts something there; one that is there already changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut Tx, new: &NewDelivery, now: Timestamp) -> Result<()> {
    on_tx!(tx, c => {
        let made: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO deliveries (event_seq, sink, sink_id, key, payload, state, next_at, task_id) \
             VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7) ON CONFLICT (key) DO NOTHING RETURNING id",
        )
        .bind(new.event).bind(new.sink).bind(new.to).bind(new.key.as_str()).bind(new.payload.as_str()).bind(now.0)
        .bind(new.task.0)
        .fetch_optional(&mut *c).await?;
        if let Some((id,)) = made {
            sqlx::query(
                "UPDATE deliveries SET state = 'superseded', next_at = NULL \
                 WHERE state = 'waiting' AND id < $1 AND SUBSTR(key, 1, $2) = $3",
            )
            .bind(id).bind(i32::try_from(new.supersedes.len()).unwrap_or(i32::MAX)).bind(new.supersedes.as_str())
            .execute(&mut *c).await?;
        }
    });
    Ok(())
}

/// What is due, the longest due first.
///
/// # Errors
/// When the database fails.
pub async fn due(store: &Store, sink: &str, now: Timestamp, most: i64) -> Result<Vec<Waiting>> {
    let sql = "SELECT id, sink_id, task_id, key, payload, tries FROM deliveries \
         WHERE state = 'waiting' AND sink = $1 AND next_at <= $2 ORDER BY next_at, id LIMIT $3 + 0";
    Ok(on!(store.db(), p => sqlx::query_as(sql).bind(sink).bind(now.0).bind(most).fetch_all(p).await?))
}

/// When the next one is due after an instant.
///
/// # Errors
/// When the database fails.
pub async fn next_due(store: &Store, sink: &str, after: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT next_at FROM deliveries WHERE state = 'waiting' AND sink = $1 AND next_at > $2 ORDER BY next_at LIMIT 1";
    let at: Option<(i64,)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(sink).bind(after.0).fetch_optional(p).await?);
    Ok(at.map(|(at,)| Timestamp(at)))
}

/// It was told.
///
/// # Errors
/// When the database fails.
pub async fn done(tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query("UPDATE deliveries SET state = 'done', next_at = NULL, error = NULL, tries = tries + 1, tried_at = $2 WHERE id = $1")
            .bind(id).bind(now.0).execute(c).await?;
    });
    Ok(())
}

/// It was not: it is tried again then, or never.
///
/// # Errors
/// When the database fails.
pub async fn failed(tx: &mut Tx, id: i64, again: Option<Timestamp>, why: &str, now: Timestamp) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query(
            "UPDATE deliveries SET state = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN 'failed' ELSE state END, next_at = CAST($2 AS BIGINT), error = $3, \
             tries = tries + 1, tried_at = $4 WHERE id = $1 AND state = 'waiting'",
        )
        .bind(id).bind(again.map(|t| t.0)).bind(why).bind(now.0).execute(c).await?;
    });
    Ok(())
}

/// Something that was told, or is to be.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    /// Its id.
    pub id: i64,
    /// The task it is about.
    pub task_id: Option<i64>,
    /// The repository whose forge is told.
    pub sink_id: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// Which forge it is at.
    pub provider: Option<String>,
    /// What is told, JSON.
    pub payload: String,
    /// `waiting`, `done`, `failed` or `superseded`.
    pub state: String,
    /// How often it was tried.
    pub tries: i64,
    /// When it is tried next.
    pub next_at: Option<i64>,
    /// What stood in the way last.
    pub error: Option<String>,
    /// When it was tried last.
    pub tried_at: Option<i64>,
}

const KEPT: &str = "SELECT d.id, d.task_id, d.sink_id, r.name, r.provider, d.payload, d.state, d.tries, d.next_at, d.error, d.tried_at \
    FROM deliveries d LEFT JOIN repositories r ON r.id = d.sink_id";

/// What was told of a task, or is to be, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_task(store: &Store, sink: &str, task: TaskId, most: i64) -> Result<Vec<Kept>> {
    let sql = format!("{KEPT} WHERE d.sink = $1 AND d.task_id = $2 ORDER BY d.id DESC LIMIT $3 + 0");
    Ok(on!(store.db(), p => {
        sqlx::query_as(AssertSqlSafe(sql)).bind(sink).bind(task.0).bind(most).fetch_all(p).await?
    }))
}

/// What one was told last, or is to be, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_repository(store: &Store, sink: &str, to: RepositoryId, most: i64) -> Result<Vec<Kept>> {
    let sql = format!("{KEPT} WHERE d.sink = $1 AND d.sink_id = $2 ORDER BY d.id DESC LIMIT $3 + 0");
    Ok(on!(store.db(), p => {
        sqlx::query_as(AssertSqlSafe(sql)).bind(sink).bind(to.0).bind(most).fetch_all(p).await?
    }))
}

/// Lets go of what was told, or never will be, about events before this one; at most `most`.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(tx: &mut Tx, before_event: i64, most: i64) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query(
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE state <> 'waiting' AND event_seq < $1 \
             ORDER BY id LIMIT $2 + 0)",
        )
        .bind(before_event).bind(most).execute(c).await?;
    });
    Ok(())
}
