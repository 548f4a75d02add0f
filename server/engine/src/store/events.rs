//! The `events` table: append-only news, written with what they tell and read by number.
//!
//! **Invariant:** a reader that sees event n sees every event below n, and whoever was answered sees its own: SQLite has
//! one writer; on PostgreSQL writers take turns from numbering their events to the end of their commit.

use super::batch::Each;
use super::db::on;
use super::tx::{Conn, Tx};
use super::{Batch, Result, Store};
use domain::event::{Event, Topic};
use domain::{ProjectId, TaskId, Timestamp};
use sqlx::AssertSqlSafe;

/// The project of every event, while there is one.
const PROJECT: i64 = ProjectId::DEFAULT.0;
const EVENT: Each = Each {
    order: 30,
    sqlite: "INSERT INTO events (seq, at, project_id, kind, subject, subject_id, task_id, actor, body) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
        value ->> 8 FROM json_each($1)",
    postgres: "INSERT INTO events (seq, at, project_id, kind, subject, subject_id, task_id, actor, body) \
        VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
    key: None,
};
/// The lock that PostgreSQL's writers take turns by; any number that is ours alone.
const TURNS: i64 = 0x0ca7_aca1;

/// An event to be.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// As `task.created`.
    pub kind: &'static str,
    /// As `task`.
    pub subject: &'static str,
    /// Its id.
    pub subject_id: i64,
    /// The task it belongs to.
    pub task_id: Option<TaskId>,
    /// The person who did it.
    pub actor: Option<String>,
    /// Small facts.
    pub body: serde_json::Value,
}

impl NewEvent {
    /// One about a thing, by nobody in particular and of no task.
    #[must_use]
    pub fn about(subject: &'static str, id: i64, kind: &'static str, at: Timestamp, body: serde_json::Value) -> Self {
        Self {
            at,
            kind,
            subject,
            subject_id: id,
            task_id: None,
            actor: None,
            body,
        }
    }
}

/// Puts events into the write; answers them with their numbers.
pub(super) async fn insert(tx: &mut Tx, new: Vec<NewEvent>) -> Result<Vec<Event>> {
    tx.take_turn().await?;
    let seqs = tx.ids("events", new.len()).await?;
    let mut batch = Batch::default();
    let numbered: Vec<(i64, NewEvent)> = seqs.into_iter().zip(new).collect();
    for (seq, e) in &numbered {
        let row = [
            (*seq).into(),
            e.at.0.into(),
            PROJECT.into(),
            e.kind.into(),
            e.subject.into(),
            e.subject_id.into(),
            e.task_id.map(|t| t.0).into(),
            e.actor.clone().into(),
            e.body.to_string().into(),
        ];
        batch.each(&EVENT, row);
    }
    tx.later(batch);
    let event = |(seq, e): (i64, NewEvent)| Event {
        seq,
        at: e.at,
        kind: e.kind.to_owned(),
        subject: e.subject.to_owned(),
        subject_id: e.subject_id,
        task_id: e.task_id,
        actor: e.actor,
        body: e.body,
    };
    Ok(numbered.into_iter().map(event).collect())
}

impl Tx {
    /// On PostgreSQL, waits for the turn to number events. Let go only after the commit can be seen; the last thing a
    /// write does, so nobody who holds it waits for rows.
    async fn take_turn(&mut self) -> Result<()> {
        if matches!(self.conn, Conn::Postgres(_)) {
            self.settle().await?;
        }
        if let Conn::Postgres(c) = &mut self.conn {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(TURNS)
                .execute(&mut **c)
                .await?;
        }
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct EventRow {
    seq: i64,
    at: i64,
    kind: String,
    subject: String,
    subject_id: i64,
    task_id: Option<i64>,
    actor: Option<String>,
    body: String,
}

impl From<EventRow> for Event {
    fn from(r: EventRow) -> Self {
        Self {
            seq: r.seq,
            at: Timestamp(r.at),
            kind: r.kind,
            subject: r.subject,
            subject_id: r.subject_id,
            task_id: r.task_id.map(TaskId),
            actor: r.actor,
            body: serde_json::from_str(&r.body).unwrap_or_default(),
        }
    }
}

const COLUMNS: &str = "seq, at, kind, subject, subject_id, task_id, actor, body";

impl Store {
    /// Events after `since`, oldest first, at most `limit`; of one topic where given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_since(&self, topic: Option<Topic>, since: i64, limit: u32) -> Result<Vec<Event>> {
        let by_task = matches!(topic, Some(Topic::Task(_)));
        let sql = if by_task {
            format!("SELECT {COLUMNS} FROM events WHERE seq > $1 AND task_id = $3 ORDER BY seq LIMIT $2 + 0")
        } else {
            format!("SELECT {COLUMNS} FROM events WHERE seq > $1 ORDER BY seq LIMIT $2 + 0")
        };
        let task = if let Some(Topic::Task(t)) = topic { t.0 } else { 0 };
        let rows: Vec<EventRow> = on!(&self.db, p => {
            let q = sqlx::query_as(AssertSqlSafe(sql)).bind(since).bind(i64::from(limit));
            if by_task { q.bind(task).fetch_all(p).await? } else { q.fetch_all(p).await? }
        });
        Ok(rows
            .into_iter()
            .map(Event::from)
            .filter(|e| topic.is_none_or(|t| t.takes(e)))
            .collect())
    }

    /// The newest and the oldest event number there are; 0 and 0 when none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn event_bounds(&self) -> Result<(i64, i64)> {
        let sql = "SELECT COALESCE((SELECT MAX(seq) FROM events), 0), COALESCE((SELECT MIN(seq) FROM events), 0)";
        Ok(on!(&self.db, p => sqlx::query_as(sql).fetch_one(p).await?))
    }
}
