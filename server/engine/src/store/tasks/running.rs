//! Running jobs for the first page, with the step that runs and how long the job usually takes.
//!
//! **Invariant:** it reads as many rows as jobs run, never the history: the usual duration looks at the plan's last
//! hundred tasks and takes the ten newest that passed.

use super::view::word;
use crate::store::{Error, Result, Store, on};
use domain::queue::RunningItem;
use domain::status::{Desired, JobStatus};
use domain::task::AgentRef;
use domain::{AgentId, JobId, TaskId, Timestamp};
use sqlx::FromRow;

#[derive(FromRow)]
struct Row {
    task_id: i64,
    job_id: i64,
    job: String,
    plan: String,
    branch: Option<String>,
    cause: String,
    desired: String,
    status: String,
    step: Option<String>,
    agent_id: Option<i64>,
    agent: Option<String>,
    started_at: Option<i64>,
    usual_ms: Option<i64>,
}

const RUNNING: &str = "SELECT j.task_id, j.id AS job_id, j.name AS job, p.name AS plan, t.branch, t.cause, j.desired, j.status, \
    (SELECT s.name FROM steps s WHERE s.attempt_id = a.id AND s.status = 'running' ORDER BY s.id DESC LIMIT 1) AS step, \
    a.agent_id, g.name AS agent, j.started_at, \
    (SELECT CAST(SUM(h.took) AS BIGINT) / COUNT(*) FROM (SELECT o.finished_at - o.started_at AS took \
      FROM (SELECT n.id FROM tasks n WHERE n.plan_id = t.plan_id ORDER BY n.id DESC LIMIT 100) e JOIN jobs o ON o.task_id = e.id \
      WHERE o.key = j.key AND o.status = 'passed' AND o.started_at IS NOT NULL ORDER BY e.id DESC LIMIT 10) h) AS usual_ms \
    FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN tasks t ON t.id = j.task_id JOIN plans p ON p.id = t.plan_id \
    LEFT JOIN agents g ON g.id = a.agent_id \
    WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL ORDER BY j.started_at, j.id LIMIT $1 + 0";

/// Running jobs, longest running first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn running(store: &Store, limit: i64) -> Result<Vec<RunningItem>> {
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(RUNNING).bind(limit).fetch_all(p).await?);
    rows.into_iter()
        .map(|r| {
            Ok(RunningItem {
                task_id: TaskId(r.task_id),
                job_id: JobId(r.job_id),
                job: r.job,
                plan: r.plan,
                branch: r.branch,
                cause: serde_json::from_str(&r.cause).map_err(|e| Error::corrupt("tasks", e))?,
                aborting: word::<Desired>(&r.desired, "jobs")? == Desired::Abort,
                preparing: word::<JobStatus>(&r.status, "jobs")? == JobStatus::Preparing,
                step: r.step,
                agent: r
                    .agent_id
                    .zip(r.agent)
                    .map(|(id, name)| AgentRef { id: AgentId(id), name }),
                since: Timestamp(r.started_at.unwrap_or_default()),
                usual_ms: r.usual_ms,
            })
        })
        .collect()
}

/// How many jobs wait, and how many run.
///
/// # Errors
/// When the database fails.
pub async fn counts(store: &Store) -> Result<(i64, i64)> {
    Ok(on!(store.db(), p => sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM jobs WHERE status = 'pending'), \
         (SELECT COUNT(*) FROM attempts WHERE finished_at IS NULL AND agent_id IS NOT NULL)").fetch_one(p).await?))
}
