//! A task is born whole: task, jobs, needs, first attempts and steps in one transaction.
//!
//! **Invariant:** every id an agent will ever name exists before the agent hears of the task.

use crate::store::{Batch, Error, Result, Tx, Value, on, on_tx};
use domain::status::{JobStatus, StepKind};
use domain::task::Cause;
use domain::{JobId, PlanId, ProjectId, TaskId, Timestamp, UserId};
use sqlx::{AssertSqlSafe, Row};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// A step to be.
#[derive(Debug, Clone)]
pub struct NewStep {
    /// `setup` or `step`.
    pub kind: StepKind,
    /// 0-based within its kind.
    pub ordinal: i64,
    /// Its name.
    pub name: String,
    /// Its failure does not fail the job.
    pub allow_failure: bool,
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its key.
    pub key: String,
    /// Keys it needs.
    pub needs: Vec<String>,
    /// Resolved spec, JSON.
    pub spec: String,
    /// What placement compares, JSON; equal text means equal demands.
    pub requirements: String,
    /// Milliseconds its attempts may take.
    pub timeout_ms: Option<i64>,
    /// Its steps, set-up first.
    pub steps: Vec<NewStep>,
    /// Since when it may be handed out; `None` while it needs something.
    pub ready_at: Option<Timestamp>,
    /// Set for a job that counts as passed already (rerun of failed jobs only): the sentence that says so.
    pub passed: Option<String>,
}

/// A task to be.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its project.
    pub project: ProjectId,
    /// Its plan.
    pub plan: PlanId,
    /// The plan's revision.
    pub plan_revision: i64,
    /// The document.
    pub digest: String,
    /// Why it exists.
    pub cause: Cause,
    /// Whose wish it was.
    pub created_by: Option<UserId>,
    /// Branch.
    pub branch: Option<String>,
    /// Exact commit, when known.
    pub revision: Option<String>,
    /// The version under work.
    pub build: Option<String>,
    /// Commit message and author, when known from an earlier task.
    pub message: Option<String>,
    /// Commit author.
    pub author: Option<String>,
    /// `resolving` while the exact commit is sought.
    pub reason_code: Option<String>,
    /// Its sentence.
    pub reason: Option<String>,
    /// −100 to 100.
    pub priority: i64,
    /// Parameters, by name.
    pub parameters: BTreeMap<String, String>,
    /// Its jobs, in order; each after those it needs is not required.
    pub jobs: Vec<NewJob>,
}

/// What a task was made from, for running it again.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its project.
    pub project: ProjectId,
    /// Its plan.
    pub plan: PlanId,
    /// The plan's revision.
    pub plan_revision: i64,
    /// The document's digest.
    pub digest: String,
    /// The checked plan.
    pub resolved: domain::plan::Plan,
    /// Branch.
    pub branch: Option<String>,
    /// Exact commit.
    pub revision: Option<String>,
    /// The version under work.
    pub build: Option<String>,
    /// Commit message.
    pub message: Option<String>,
    /// Commit author.
    pub author: Option<String>,
    /// Priority.
    pub priority: i64,
    /// Parameters.
    pub parameters: BTreeMap<String, String>,
    /// How each job ended, by key.
    pub jobs: HashMap<String, JobStatus>,
    /// Whether it has ended.
    pub ended: bool,
}

/// Reads what a task was made from; `None` when there is no such task.
///
/// # Errors
/// When the database fails or the snapshot does not read.
pub async fn snapshot(store: &crate::store::Store, id: TaskId) -> Result<Option<Snapshot>> {
    let sql = "SELECT t.project_id, t.plan_id, t.plan_revision, t.digest, d.resolved, t.branch, t.revision, t.build, \
               t.message, t.author, t.priority, t.parameters, t.finished_at \
               FROM tasks t JOIN documents d ON d.digest = t.digest WHERE t.id = $1";
    macro_rules! read {
        ($p:expr) => {{
            let Some(r) = sqlx::query(sql).bind(id.0).fetch_optional($p).await? else {
                return Ok(None);
            };
            let jobs = sqlx::query("SELECT key, status FROM jobs WHERE task_id = $1")
                .bind(id.0)
                .fetch_all($p)
                .await?;
            let jobs = jobs
                .iter()
                .map(|j| {
                    let status: String = j.get(1);
                    Ok((
                        j.get::<String, _>(0),
                        status.parse().map_err(|e| Error::corrupt("jobs", e))?,
                    ))
                })
                .collect::<Result<HashMap<_, _>>>()?;
            Snapshot {
                project: ProjectId(r.get(0)),
                plan: PlanId(r.get(1)),
                plan_revision: r.get(2),
                digest: r.get(3),
                resolved: serde_json::from_str(r.get::<&str, _>(4)).map_err(|e| Error::corrupt("documents", e))?,
                branch: r.get(5),
                revision: r.get(6),
                build: r.get(7),
                message: r.get(8),
                author: r.get(9),
                priority: r.get(10),
                parameters: serde_json::from_str(r.get::<&str, _>(11)).map_err(|e| Error::corrupt("tasks", e))?,
                jobs,
                ended: r.get::<Option<i64>, _>(12).is_some(),
            }
        }};
    }
    Ok(Some(on!(store.db(), p => read!(p))))
}

/// Inserts the task; answers its id and its jobs' by key.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &mut Tx, task: &NewTask, now: Timestamp) -> Result<(TaskId, Vec<JobId>)> {
    let sql = "INSERT INTO tasks (project_id, plan_id, plan_revision, digest, status, reason_code, reason, priority, build, \
               revision, branch, message, author, cause_kind, cause, rerun_of, parameters, created_by, created_at) \
               VALUES ($1,$2,$3,$4,'pending',$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18) RETURNING id";
    let cause = serde_json::to_string(&task.cause).map_err(|e| Error::corrupt("tasks", e))?;
    let parameters = serde_json::to_string(&task.parameters).map_err(|e| Error::corrupt("tasks", e))?;
    let id: i64 = on_tx!(tx, c => sqlx::query_scalar(sql)
        .bind(task.project.0).bind(task.plan.0).bind(task.plan_revision).bind(&task.digest)
        .bind(&task.reason_code).bind(&task.reason).bind(task.priority).bind(&task.build)
        .bind(&task.revision).bind(&task.branch).bind(&task.message).bind(&task.author)
        .bind(task.cause.kind.as_str()).bind(cause).bind(task.cause.rerun_of.map(|t| t.0)).bind(parameters)
        .bind(task.created_by.map(|u| u.0)).bind(now.0)
        .fetch_one(c).await?);
    let jobs = insert_jobs(tx, TaskId(id), task, now).await?;
    let ids: HashMap<&str, i64> = task
        .jobs
        .iter()
        .zip(&jobs)
        .map(|(j, id)| (j.key.as_str(), *id))
        .collect();
    let attempts = insert_attempts(tx, task, &jobs, now).await?;
    let mut batch = Batch::default();
    for (job, attempt) in task.jobs.iter().zip(&attempts) {
        push_steps(&mut batch, *attempt, &job.steps, job.passed.as_deref(), now);
        for need in &job.needs {
            if let (Some(j), Some(n)) = (ids.get(job.key.as_str()), ids.get(need.as_str())) {
                batch.push(
                    "INSERT INTO job_needs (job_id, needs_id) VALUES ($1, $2)",
                    [(*j).into(), (*n).into()],
                );
            }
        }
    }
    tx.run(batch).await?;
    Ok((TaskId(id), jobs.into_iter().map(JobId).collect()))
}

/// One multi-row insert; ids come back in the order of the rows on both databases, and are sorted to be sure of it.
async fn insert_jobs(tx: &mut Tx, task: TaskId, new: &NewTask, now: Timestamp) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(new.jobs.len());
    for (base, chunk) in new.jobs.chunks(100).enumerate() {
        let mut sql = String::from(
            "INSERT INTO jobs (task_id, key, name, ordinal, spec, status, requirements, priority, ready_at, reason, finished_at, timeout_ms) VALUES ",
        );
        for i in 0..chunk.len() {
            let b = i * 10 + 2;
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(
                sql,
                "{comma}($1,${},${},${},${},${},${},$2,${},${},${},${})",
                b + 1,
                b + 2,
                b + 3,
                b + 4,
                b + 5,
                b + 6,
                b + 7,
                b + 8,
                b + 9,
                b + 10
            );
        }
        sql.push_str(" RETURNING id");
        macro_rules! go {
            ($c:expr) => {{
                let mut q = sqlx::query_scalar(AssertSqlSafe(sql))
                    .bind(task.0)
                    .bind(new.priority);
                for (i, j) in chunk.iter().enumerate() {
                    let status = if j.passed.is_some() { "passed" } else { "pending" };
                    q = q
                        .bind(j.key.clone())
                        .bind(j.key.clone())
                        .bind((base * 100 + i) as i64)
                        .bind(j.spec.clone())
                        .bind(status)
                        .bind(j.requirements.clone())
                        .bind(j.ready_at.map(|t| t.0))
                        .bind(j.passed.clone())
                        .bind(j.passed.as_ref().map(|_| now.0))
                        .bind(j.timeout_ms);
                }
                q.fetch_all($c).await?
            }};
        }
        let mut got: Vec<i64> = on_tx!(tx, c => go!(c));
        got.sort_unstable();
        ids.extend(got);
    }
    Ok(ids)
}

async fn insert_attempts(tx: &mut Tx, new: &NewTask, jobs: &[i64], now: Timestamp) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(jobs.len());
    let both: Vec<_> = new.jobs.iter().zip(jobs).collect();
    for chunk in both.chunks(100) {
        let mut sql = String::from("INSERT INTO attempts (job_id, number, status, outcome, finished_at) VALUES ");
        for i in 0..chunk.len() {
            let b = i * 4;
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(sql, "{comma}(${},1,${},${},${})", b + 1, b + 2, b + 3, b + 4);
        }
        sql.push_str(" RETURNING id");
        macro_rules! go {
            ($c:expr) => {{
                let mut q = sqlx::query_scalar(AssertSqlSafe(sql));
                for (j, id) in chunk {
                    let passed = j.passed.is_some();
                    q = q
                        .bind(**id)
                        .bind(if passed { "ended" } else { "waiting" })
                        .bind(passed.then_some("passed"))
                        .bind(passed.then_some(now.0));
                }
                q.fetch_all($c).await?
            }};
        }
        let mut got: Vec<i64> = on_tx!(tx, c => go!(c));
        got.sort_unstable();
        ids.extend(got);
    }
    Ok(ids)
}

/// Adds the inserts of an attempt's steps. With `passed`, they stand there as skipped and say so.
pub(super) fn push_steps(batch: &mut Batch, attempt: i64, steps: &[NewStep], passed: Option<&str>, now: Timestamp) {
    if steps.is_empty() {
        return;
    }
    let mut sql = String::from(
        "INSERT INTO steps (attempt_id, kind, ordinal, name, allow_failure, status, error, finished_at) VALUES ",
    );
    let mut values: Vec<Value> = Vec::with_capacity(steps.len() * 8);
    for (i, s) in steps.iter().enumerate() {
        let b = i * 8;
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(
            sql,
            "{comma}(${},${},${},${},${},${},${},${})",
            b + 1,
            b + 2,
            b + 3,
            b + 4,
            b + 5,
            b + 6,
            b + 7,
            b + 8
        );
        values.extend([
            attempt.into(),
            s.kind.as_str().into(),
            s.ordinal.into(),
            s.name.as_str().into(),
            s.allow_failure.into(),
            if passed.is_some() { "skipped" } else { "pending" }.into(),
            passed.map(str::to_owned).into(),
            passed.map(|_| now.0).into(),
        ]);
    }
    batch.push(sql, values);
}
