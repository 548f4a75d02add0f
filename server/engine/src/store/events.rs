//! The `events` table: append-only news, written with what they tell and read by number.
//!
//! **Invariant:** a reader that sees event n sees every event below n, and whoever was answered sees its own: SQLite has
//! one writer; on PostgreSQL writers take turns from numbering their events to the end of their commit.

use super::db::on;
use super::tx::{Conn, Tx};
use super::{Result, Store};
use domain::event::{Event, Topic};
use domain::{TaskId, Timestamp};
use sqlx::{AssertSqlSafe, Row};
use std::fmt::Write as _;

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

/// Inserts events in one statement; answers them with their numbers.
pub(super) async fn insert(tx: &mut Tx, new: Vec<NewEvent>) -> Result<Vec<Event>> {
    if let Conn::Postgres(c) = &mut tx.conn {
        // Let go only after the commit can be seen. The last thing a write does, so nobody who holds it waits for rows.
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(TURNS)
            .execute(&mut **c)
            .await?;
    }
    let mut out = Vec::with_capacity(new.len());
    // 900 keeps a statement far below both databases' limits of bound values.
    for chunk in new.chunks(100) {
        let mut sql = String::from(
            "INSERT INTO events (at, project_id, kind, subject, subject_id, task_id, actor, body) VALUES ",
        );
        for i in 0..chunk.len() {
            let b = i * 7;
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(
                sql,
                "{comma}(${},1,${},${},${},${},${},${})",
                b + 1,
                b + 2,
                b + 3,
                b + 4,
                b + 5,
                b + 6,
                b + 7
            );
        }
        sql.push_str(" RETURNING seq");
        macro_rules! go {
            ($c:expr) => {{
                let mut q = sqlx::query(AssertSqlSafe(sql));
                for e in chunk {
                    q = q
                        .bind(e.at.0)
                        .bind(e.kind)
                        .bind(e.subject)
                        .bind(e.subject_id)
                        .bind(e.task_id.map(|t| t.0))
                        .bind(e.actor.clone())
                        .bind(e.body.to_string());
                }
                let rows = q.fetch_all($c).await?;
                rows.iter().map(|r| r.get::<i64, _>(0)).collect::<Vec<_>>()
            }};
        }
        let mut seqs = match &mut tx.conn {
            Conn::Sqlite(c) => go!(&mut **c),
            Conn::Postgres(c) => go!(&mut **c),
        };
        seqs.sort_unstable();
        out.extend(chunk.iter().zip(seqs).map(|(e, seq)| Event {
            seq,
            at: e.at,
            kind: e.kind.to_owned(),
            subject: e.subject.to_owned(),
            subject_id: e.subject_id,
            task_id: e.task_id,
            actor: e.actor.clone(),
            body: e.body.clone(),
        }));
    }
    Ok(out)
}

#[derive(sqlx::FromRow)]
struct EventRow {
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
            format!("SELECT {COLUMNS} FROM events WHERE seq > $1 AND task_id = $3 ORDER BY seq LIMIT $2")
        } else {
            format!("SELECT {COLUMNS} FROM events WHERE seq > $1 ORDER BY seq LIMIT $2")
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
