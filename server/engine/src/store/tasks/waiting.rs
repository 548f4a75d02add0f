//! Waiting jobs, in the order in which they are handed out.
//!
//! **Invariant:** `ready` follows the index `jobs_waiting` and reads no more rows than there are slots to fill, so a long
//! queue costs no more than a short one.

use super::view::word;
use crate::store::{Db, Error, Result, Store, Tx, on, on_tx};
use domain::label::Condition;
use domain::placement::{Held, Need, Wish};
use domain::plan::Job;
use domain::status::ExecutorKind;
use domain::task::Cause;
use domain::{AttemptId, JobId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, FromRow};
use std::collections::HashMap;
use std::sync::Arc;

/// What placement compares, as stored: equal demands are equal texts.
#[derive(Serialize, Deserialize)]
struct Demands {
    on: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    executor: Option<ExecutorKind>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    image: bool,
}

/// The text for `jobs.requirements`.
#[must_use]
pub fn demands(job: &Job) -> String {
    let d = Demands {
        on: job.runs_on.clone(),
        executor: job.executor,
        image: job.image.is_some(),
    };
    // Conditions and words are always JSON.
    serde_json::to_string(&d).unwrap_or_default()
}

fn wish(text: &str) -> Result<Wish> {
    let d: Demands = serde_json::from_str(text).map_err(|e| Error::corrupt("jobs", e))?;
    Ok(Wish::new(d.on, d.executor, d.image))
}

/// A waiting job with what its line in the queue shows.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What placement looks at.
    pub place: domain::placement::Waiting,
    /// The stored demands, equal for equal wishes.
    pub demands: String,
    /// Its name.
    pub job: String,
    /// The plan's name.
    pub plan: String,
    /// The task's branch.
    pub branch: Option<String>,
    /// Why the task exists.
    pub cause: Cause,
    /// Since when the task is there.
    pub since: Timestamp,
    /// The fence of its last hand-out.
    pub epoch: i64,
    /// Milliseconds its attempt may take.
    pub timeout_ms: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    job_id: i64,
    task_id: i64,
    attempt_id: i64,
    priority: i64,
    ready_at: Option<i64>,
    requirements: String,
    not_before: Option<i64>,
    job: String,
    plan: String,
    branch: Option<String>,
    cause: String,
    created_at: i64,
    reason_code: Option<String>,
    epoch: i64,
    timeout_ms: Option<i64>,
}

const COLUMNS: &str = "j.id AS job_id, j.task_id, a.id AS attempt_id, j.priority, j.ready_at, j.requirements, j.not_before, \
    j.name AS job, p.name AS plan, t.branch, t.cause, t.created_at, t.reason_code, a.epoch, j.timeout_ms \
    FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt \
    JOIN tasks t ON t.id = j.task_id JOIN plans p ON p.id = t.plan_id";

impl Row {
    fn read(self, wishes: &mut HashMap<String, Arc<Wish>>) -> Result<Waiting> {
        let shared = match wishes.get(&self.requirements) {
            Some(w) => w.clone(),
            None => {
                let w = Arc::new(wish(&self.requirements)?);
                wishes.insert(self.requirements.clone(), w.clone());
                w
            }
        };
        Ok(Waiting {
            place: domain::placement::Waiting {
                job: JobId(self.job_id),
                task: TaskId(self.task_id),
                attempt: AttemptId(self.attempt_id),
                priority: self.priority,
                ready_at: Timestamp(self.ready_at.unwrap_or(self.created_at)),
                unmet: Vec::new(),
                wish: shared,
                held: match self.reason_code.as_deref() {
                    Some("resolving") => Some(Held::Resolving),
                    Some("approval") => Some(Held::Approval),
                    _ => None,
                },
                not_before: self.not_before.map(Timestamp),
            },
            demands: self.requirements,
            job: self.job,
            plan: self.plan,
            branch: self.branch,
            cause: serde_json::from_str(&self.cause).map_err(|e| Error::corrupt("tasks", e))?,
            since: Timestamp(self.created_at),
            epoch: self.epoch,
            timeout_ms: self.timeout_ms,
        })
    }
}

/// The first `limit` jobs that could run but for a slot, without those of `blocked` demands.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn ready(tx: &mut Tx, limit: i64, blocked: &[String], now: Timestamp) -> Result<Vec<Waiting>> {
    let without = if blocked.is_empty() {
        ""
    } else if matches!(tx.conn, crate::store::tx::Conn::Sqlite(_)) {
        " AND j.requirements NOT IN (SELECT value FROM json_each($3))"
    } else {
        " AND j.requirements NOT IN (SELECT json_array_elements_text($3::json))"
    };
    let sql = format!(
        "SELECT {COLUMNS} WHERE j.status = 'pending' AND j.ready_at IS NOT NULL AND (j.not_before IS NULL OR j.not_before <= $2)\
         {without} ORDER BY j.priority DESC, j.ready_at, j.id LIMIT $1 + 0"
    );
    let list = serde_json::to_string(blocked).map_err(|e| Error::corrupt("jobs", e))?;
    let rows: Vec<Row> = on_tx!(tx, c => {
        let q = sqlx::query_as(AssertSqlSafe(sql)).bind(limit).bind(now.0);
        if blocked.is_empty() { q.fetch_all(c).await? } else { q.bind(list).fetch_all(c).await? }
    });
    let mut wishes = HashMap::new();
    rows.into_iter().map(|r| r.read(&mut wishes)).collect()
}

/// Which waiting jobs are wanted.
#[derive(Debug, Clone, Copy)]
pub enum WaitingFilter {
    /// The head of the queue, this many.
    Head(i64),
    /// Those of one task.
    Task(TaskId),
}

/// Waiting jobs with all they wait for, in order: first those that could run but for a slot.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn waiting_all(store: &Store, filter: WaitingFilter) -> Result<Vec<Waiting>> {
    let (which, limit, task) = match filter {
        WaitingFilter::Head(n) => ("$2 = $2", n, 0),
        WaitingFilter::Task(t) => ("j.task_id = $2", 10_000, t.0),
    };
    let sql = format!(
        "SELECT {COLUMNS} WHERE j.status = 'pending' AND {which} \
         ORDER BY (j.ready_at IS NULL), j.priority DESC, j.ready_at, j.id LIMIT $1 + 0"
    );
    let needs_in = match store.db() {
        Db::Sqlite(_) => "IN (SELECT value FROM json_each($1))",
        Db::Postgres(_) => "IN (SELECT value::bigint FROM json_array_elements_text($1::json))",
    };
    let needs_sql = format!(
        "SELECT n.job_id, d.id, d.key, d.status FROM job_needs n JOIN jobs d ON d.id = n.needs_id \
         WHERE n.job_id {needs_in} ORDER BY d.ordinal"
    );
    let rows: Vec<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(limit).bind(task).fetch_all(p).await?);
    let mut wishes = HashMap::new();
    let mut out = rows
        .into_iter()
        .map(|r| r.read(&mut wishes))
        .collect::<Result<Vec<_>>>()?;
    let ids: Vec<i64> = out.iter().map(|w| w.place.job.0).collect();
    let list = serde_json::to_string(&ids).map_err(|e| Error::corrupt("jobs", e))?;
    let needs: Vec<(i64, i64, String, String)> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(needs_sql)).bind(list).fetch_all(p).await?);
    let mut unmet: HashMap<i64, Vec<Need>> = HashMap::new();
    for (job, id, key, status) in needs {
        if word::<domain::status::JobStatus>(&status, "jobs")? != domain::status::JobStatus::Passed {
            unmet.entry(job).or_default().push(Need { job: JobId(id), key });
        }
    }
    for w in &mut out {
        w.place.unmet = unmet.remove(&w.place.job.0).unwrap_or_default();
    }
    Ok(out)
}

/// Whether a job waits whose earliest instant has come: only time made it free, so no event did.
///
/// # Errors
/// When the database fails.
pub async fn held_back(store: &Store, now: Timestamp) -> Result<bool> {
    let found: Option<i64> = on!(store.db(), p => sqlx::query_scalar(
        "SELECT id FROM jobs WHERE status = 'pending' AND not_before <= $1 AND ready_at IS NOT NULL LIMIT 1")
        .bind(now.0).fetch_optional(p).await?);
    Ok(found.is_some())
}
