//! What became of the statuses that forges were to be told.
//!
//! **Invariant:** only rows are read; a row that cannot be read is left out, it tells nobody anything.

use super::statuses::{Payload, SINK};
use crate::store::deliveries::{self, Kept};
use crate::store::{Result, Store};
use domain::forge::{Sending, SentStatus};
use domain::{RepositoryId, TaskId, Timestamp};

/// Most that are shown at once.
const MOST: i64 = 50;

/// Of a task, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<SentStatus>> {
    let rows = deliveries::of_task(store, SINK, task, MOST).await?;
    Ok(rows.into_iter().filter_map(view).collect())
}

/// To a repository's forge, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_repository(store: &Store, repository: RepositoryId) -> Result<Vec<SentStatus>> {
    let rows = deliveries::of_repository(store, SINK, repository, MOST).await?;
    Ok(rows.into_iter().filter_map(view).collect())
}

fn view(row: Kept) -> Option<SentStatus> {
    let payload: Payload = serde_json::from_str(&row.payload).ok()?;
    let sending = match (row.state.as_str(), row.tries) {
        ("done", _) => Sending::Taken,
        ("failed", _) => Sending::Refused,
        ("superseded", _) => Sending::Superseded,
        (_, 0) => Sending::Waiting,
        _ => Sending::Retrying,
    };
    Some(SentStatus {
        id: row.id,
        task_id: TaskId(row.task_id?),
        repository_id: RepositoryId(row.sink_id?),
        repository: row.name,
        provider: row.provider.and_then(|p| p.parse().ok()),
        revision: payload.revision,
        context: payload.context,
        state: payload.state,
        description: payload.description,
        sending,
        said: row.error,
        tries: row.tries,
        tried_at: row.tried_at.map(Timestamp),
        next_at: row.next_at.map(Timestamp),
    })
}
