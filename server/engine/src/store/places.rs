//! Where the output of steps lies: attempts, extents and whether more may come; what the console service asks for.
//!
//! **Invariant:** nothing here holds output; bytes are files, rows say where.

use crate::store::{Result, Store, on};
use domain::{AttemptId, ProjectId, StepId, TaskId};
use sqlx::{AssertSqlSafe, FromRow};

/// A step's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The step.
    pub step: StepId,
    /// Whose file.
    pub attempt: AttemptId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// `setup`, `step`, `service`, `cleanup`.
    pub kind: String,
    /// The job's place among the task's jobs.
    pub job: i64,
    /// First byte.
    pub from: u64,
    /// Bytes, once it has ended.
    pub len: u64,
    /// Whether its command has begun.
    pub begun: bool,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether it ended without its agent saying where its output ends.
    pub lost: bool,
    /// Where the next step of the attempt begins, if one has.
    pub next: Option<u64>,
    /// Whether its attempt is over.
    pub attempt_ended: bool,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    attempt_id: i64,
    project_id: i64,
    kind: String,
    ordinal: i64,
    status: String,
    console_from: i64,
    console_len: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    attempt_finished_at: Option<i64>,
    next_from: Option<i64>,
}

impl From<Row> for Place {
    fn from(r: Row) -> Self {
        Self {
            step: StepId(r.id),
            attempt: AttemptId(r.attempt_id),
            project: ProjectId(r.project_id),
            kind: r.kind,
            job: r.ordinal,
            from: r.console_from.unsigned_abs(),
            len: r.console_len.unsigned_abs(),
            begun: r.started_at.is_some(),
            ended: r.finished_at.is_some(),
            lost: r.console_len == 0
                && r.finished_at.is_some()
                && matches!(r.status.as_str(), "lost" | "aborted" | "timed_out"),
            next: r.next_from.map(i64::unsigned_abs),
            attempt_ended: r.attempt_finished_at.is_some(),
        }
    }
}

const COLUMNS: &str = "SELECT s.id, s.attempt_id, t.project_id, s.kind, j.ordinal, s.status, s.console_from, s.console_len, \
     s.started_at, s.finished_at, a.finished_at AS attempt_finished_at, \
     (SELECT MIN(n.console_from) FROM steps n WHERE n.attempt_id = s.attempt_id AND n.kind <> 'service' \
      AND n.started_at IS NOT NULL AND n.id > s.id) AS next_from \
     FROM steps s JOIN attempts a ON a.id = s.attempt_id JOIN jobs j ON j.id = a.job_id JOIN tasks t ON t.id = j.task_id";

/// One step's place.
///
/// # Errors
/// When the database fails.
pub async fn place(store: &Store, step: StepId) -> Result<Option<Place>> {
    let sql = format!("{COLUMNS} WHERE s.id = $1");
    let row: Option<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(step.0).fetch_optional(p).await?);
    Ok(row.map(Place::from))
}

/// The places of a task's steps, of the current attempts, in job, then kind, then step order.
///
/// # Errors
/// When the database fails.
pub async fn places(store: &Store, task: TaskId) -> Result<Vec<Place>> {
    let sql = format!(
        "{COLUMNS} WHERE t.id = $1 AND a.number = j.attempt AND s.kind <> 'service' ORDER BY j.ordinal, \
         CASE s.kind WHEN 'setup' THEN 0 WHEN 'step' THEN 1 ELSE 2 END, s.ordinal"
    );
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(task.0).fetch_all(p).await?);
    Ok(rows.into_iter().map(Place::from).collect())
}

/// A task's project and whether it has ended.
///
/// # Errors
/// When the database fails.
pub async fn task(store: &Store, task: TaskId) -> Result<Option<(ProjectId, bool)>> {
    let sql = "SELECT project_id, finished_at FROM tasks WHERE id = $1";
    let row: Option<(i64, Option<i64>)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(task.0).fetch_optional(p).await?);
    Ok(row.map(|(project, finished)| (ProjectId(project), finished.is_some())))
}

/// An attempt's project and whether it has ended.
///
/// # Errors
/// When the database fails.
pub async fn attempt(store: &Store, attempt: AttemptId) -> Result<Option<(ProjectId, bool)>> {
    let sql = "SELECT t.project_id, a.finished_at FROM attempts a JOIN jobs j ON j.id = a.job_id \
               JOIN tasks t ON t.id = j.task_id WHERE a.id = $1";
    let row: Option<(i64, Option<i64>)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(attempt.0).fetch_optional(p).await?);
    Ok(row.map(|(project, finished)| (ProjectId(project), finished.is_some())))
}

/// The project a plan belongs to.
///
/// # Errors
/// When the database fails.
pub async fn plan_project(store: &Store, plan: domain::PlanId) -> Result<Option<ProjectId>> {
    let sql = "SELECT project_id FROM plans WHERE id = $1";
    let row: Option<(i64,)> = on!(store.db(), p => sqlx::query_as(sql).bind(plan.0).fetch_optional(p).await?);
    Ok(row.map(|(project,)| ProjectId(project)))
}
