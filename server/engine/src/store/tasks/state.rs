//! The rows of one task as `lifecycle` wants them, and back.
//!
//! **Invariant:** what [`save`] writes is exactly what [`changes`] found; rows nobody touched are not written.

use super::insert::{NewStep, push_steps};
use super::view::word;
use crate::store::batch::Each;
use crate::store::{Batch, Error, Result, Tx, Value, on_tx};
use domain::lifecycle::{AttemptState, Changes, JobState, Retry, StepState, TaskState};
use domain::{AgentId, AttemptId, JobId, PlanId, StepId, TaskId, Timestamp};
use sqlx::FromRow;
use std::collections::HashMap;

#[derive(FromRow)]
struct Row {
    plan_id: i64,
    t_status: String,
    t_desired: String,
    t_started: Option<i64>,
    t_finished: Option<i64>,
    t_reason: Option<String>,
    j_id: i64,
    j_key: String,
    j_status: String,
    j_desired: String,
    j_reason: Option<String>,
    j_started: Option<i64>,
    j_finished: Option<i64>,
    j_retry: Option<String>,
    a_id: i64,
    number: i64,
    a_status: String,
    outcome: Option<String>,
    a_reason: Option<String>,
    agent_id: Option<i64>,
    epoch: i64,
    lease_until: Option<i64>,
    deadline_at: Option<i64>,
    assigned_at: Option<i64>,
    a_started: Option<i64>,
    a_finished: Option<i64>,
    executor: Option<String>,
    s_id: Option<i64>,
    kind: Option<String>,
    ordinal: Option<i64>,
    s_name: Option<String>,
    s_status: Option<String>,
    exit_code: Option<i64>,
    signal: Option<i64>,
    error: Option<String>,
    allow_failure: Option<bool>,
    s_started: Option<i64>,
    s_finished: Option<i64>,
    console_from: Option<i64>,
    console_len: Option<i64>,
}

const LOAD: &str = "SELECT t.plan_id, t.status AS t_status, t.desired AS t_desired, t.started_at AS t_started, t.finished_at AS t_finished, \
    t.reason AS t_reason, j.id AS j_id, j.key AS j_key, j.status AS j_status, j.desired AS j_desired, j.reason AS j_reason, \
    j.started_at AS j_started, j.finished_at AS j_finished, j.retry AS j_retry, a.id AS a_id, a.number, a.status AS a_status, a.outcome, \
    a.reason AS a_reason, a.agent_id, a.epoch, a.lease_until, a.deadline_at, a.assigned_at, a.started_at AS a_started, \
    a.finished_at AS a_finished, a.executor, s.id AS s_id, s.kind, s.ordinal, s.name AS s_name, s.status AS s_status, \
    s.exit_code, s.signal, s.error, s.allow_failure, s.started_at AS s_started, s.finished_at AS s_finished, \
    s.console_from, s.console_len \
    FROM tasks t JOIN jobs j ON j.task_id = t.id JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt \
    LEFT JOIN steps s ON s.attempt_id = a.id WHERE t.id = $1 \
    ORDER BY j.ordinal, CASE s.kind WHEN 'setup' THEN 0 WHEN 'step' THEN 1 WHEN 'service' THEN 2 ELSE 3 END, s.ordinal";

/// A task for a change, and which plan it is of; `None` when there is none. What is remembered of it is handed over: the
/// caller gives it back with `keep_task` when rows and state agree again.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn load(tx: &mut Tx, id: TaskId) -> Result<Option<(TaskState, PlanId)>> {
    match tx.take_task(id) {
        Some(found) => Ok(Some(found)),
        None => read(tx, id).await,
    }
}

/// Reads it from its rows.
pub(in crate::store) async fn read(tx: &mut Tx, id: TaskId) -> Result<Option<(TaskState, PlanId)>> {
    let rows: Vec<Row> = on_tx!(tx, c => sqlx::query_as(LOAD).bind(id.0).fetch_all(c).await?);
    let Some(first) = rows.first() else {
        return jobless(tx, id).await;
    };
    let plan = PlanId(first.plan_id);
    let mut task = TaskState {
        id,
        status: word(&first.t_status, "tasks")?,
        desired: word(&first.t_desired, "tasks")?,
        started_at: first.t_started.map(Timestamp),
        finished_at: first.t_finished.map(Timestamp),
        reason: first.t_reason.clone(),
        jobs: Vec::new(),
    };
    for row in rows {
        if task.jobs.last().is_none_or(|j| j.id.0 != row.j_id) {
            task.jobs.push(job(&row)?);
        }
        if let (Some(step), Some(job)) = (step(row)?, task.jobs.last_mut()) {
            job.attempt.steps.push(step);
        }
    }
    if task.jobs.len() > 1 {
        let needs: Vec<(i64, i64)> = on_tx!(tx, c => sqlx::query_as(
            "SELECT n.job_id, n.needs_id FROM job_needs n JOIN jobs j ON j.id = n.job_id WHERE j.task_id = $1 ORDER BY n.needs_id")
            .bind(id.0).fetch_all(c).await?);
        let mut by_job: HashMap<i64, Vec<JobId>> = HashMap::new();
        for (job, need) in needs {
            by_job.entry(job).or_default().push(JobId(need));
        }
        for job in &mut task.jobs {
            job.needs = by_job.remove(&job.id.0).unwrap_or_default();
        }
    }
    Ok(Some((task, plan)))
}

/// A task whose document is still being read, or could not be.
async fn jobless(tx: &mut Tx, id: TaskId) -> Result<Option<(TaskState, PlanId)>> {
    type Row = (i64, String, String, Option<i64>, Option<i64>, Option<String>);
    let row: Option<Row> = on_tx!(tx, c => sqlx::query_as(
        "SELECT plan_id, status, desired, started_at, finished_at, reason FROM tasks WHERE id = $1")
        .bind(id.0).fetch_optional(c).await?);
    row.map(|(plan, status, desired, started, finished, reason)| {
        let task = TaskState {
            id,
            status: word(&status, "tasks")?,
            desired: word(&desired, "tasks")?,
            started_at: started.map(Timestamp),
            finished_at: finished.map(Timestamp),
            reason,
            jobs: Vec::new(),
        };
        Ok((task, PlanId(plan)))
    })
    .transpose()
}

/// The task an attempt belongs to; `None` when there is no such attempt.
///
/// # Errors
/// When the database fails.
pub async fn load_by_attempt(tx: &mut Tx, attempt: AttemptId) -> Result<Option<TaskId>> {
    if let Some(task) = tx.kept_task_of(attempt) {
        return Ok(Some(task));
    }
    let id: Option<i64> = on_tx!(tx, c => sqlx::query_scalar(
        "SELECT j.task_id FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.id = $1")
        .bind(attempt.0).fetch_optional(c).await?);
    Ok(id.map(TaskId))
}

/// Tasks of which an agent holds an attempt.
///
/// # Errors
/// When the database fails.
pub(crate) async fn handed_out(tx: &mut Tx) -> Result<Vec<TaskId>> {
    let ids: Vec<i64> = on_tx!(tx, c => sqlx::query_scalar(
        "SELECT DISTINCT j.task_id FROM attempts a JOIN jobs j ON j.id = a.job_id \
         WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL ORDER BY j.task_id")
        .fetch_all(c).await?);
    Ok(ids.into_iter().map(TaskId).collect())
}

fn job(r: &Row) -> Result<JobState> {
    let attempt = AttemptState {
        id: AttemptId(r.a_id),
        number: r.number,
        status: word(&r.a_status, "attempts")?,
        outcome: r.outcome.as_deref().map(|o| word(o, "attempts")).transpose()?,
        reason: r.a_reason.clone(),
        agent: r.agent_id.map(AgentId),
        epoch: r.epoch,
        lease_until: r.lease_until.map(Timestamp),
        deadline_at: r.deadline_at.map(Timestamp),
        assigned_at: r.assigned_at.map(Timestamp),
        started_at: r.a_started.map(Timestamp),
        finished_at: r.a_finished.map(Timestamp),
        executor: r.executor.as_deref().map(|o| word(o, "attempts")).transpose()?,
        steps: Vec::new(),
    };
    Ok(JobState {
        id: JobId(r.j_id),
        key: r.j_key.clone(),
        needs: Vec::new(),
        status: word(&r.j_status, "jobs")?,
        desired: word(&r.j_desired, "jobs")?,
        reason: r.j_reason.clone(),
        started_at: r.j_started.map(Timestamp),
        finished_at: r.j_finished.map(Timestamp),
        retry: retry(r.j_retry.as_deref())?,
        attempt,
    })
}

/// What the plan says of trying again; nothing for most jobs, so there is nothing to read.
fn retry(text: Option<&str>) -> Result<Retry> {
    text.map_or_else(
        || Ok(Retry::default()),
        |text| serde_json::from_str(text).map_err(|e| Error::corrupt("jobs", e)),
    )
}

fn step(r: Row) -> Result<Option<StepState>> {
    let Some(id) = r.s_id else { return Ok(None) };
    Ok(Some(StepState {
        id: StepId(id),
        kind: word(r.kind.as_deref().unwrap_or_default(), "steps")?,
        ordinal: r.ordinal.unwrap_or_default(),
        name: r.s_name.unwrap_or_default(),
        status: word(r.s_status.as_deref().unwrap_or_default(), "steps")?,
        exit_code: r.exit_code,
        signal: r.signal,
        error: r.error,
        allow_failure: r.allow_failure.unwrap_or_default(),
        started_at: r.s_started.map(Timestamp),
        finished_at: r.s_finished.map(Timestamp),
        console_from: r.console_from.unwrap_or_default(),
        console_len: r.console_len.unwrap_or_default(),
    }))
}

const SAVE_STEP: Each = Each {
    order: 10,
    sqlite: "UPDATE steps SET status = v.value ->> 0, exit_code = v.value ->> 1, signal = v.value ->> 2, error = v.value ->> 3, \
        console_from = v.value ->> 4, console_len = v.value ->> 5, started_at = v.value ->> 6, finished_at = v.value ->> 7 \
        FROM json_each($1) v WHERE steps.id = v.value ->> 8",
    postgres: "UPDATE steps SET status = $1, exit_code = $2, signal = $3, error = $4, console_from = $5, console_len = $6, \
        started_at = $7, finished_at = $8 WHERE id = $9",
    key: Some(8),
};
const SAVE_ATTEMPT: Each = Each {
    order: 11,
    sqlite: "UPDATE attempts SET status = v.value ->> 0, outcome = v.value ->> 1, reason = v.value ->> 2, agent_id = v.value ->> 3, \
        epoch = v.value ->> 4, lease_until = v.value ->> 5, deadline_at = v.value ->> 6, assigned_at = v.value ->> 7, \
        started_at = v.value ->> 8, finished_at = v.value ->> 9, executor = v.value ->> 10 \
        FROM json_each($1) v WHERE attempts.id = v.value ->> 11",
    postgres: "UPDATE attempts SET status = $1, outcome = $2, reason = $3, agent_id = $4, epoch = $5, lease_until = $6, \
        deadline_at = $7, assigned_at = $8, started_at = $9, finished_at = $10, executor = $11 WHERE id = $12",
    key: Some(11),
};
const SAVE_JOB: Each = Each {
    order: 12,
    sqlite: "UPDATE jobs SET status = v.value ->> 0, desired = v.value ->> 1, reason = v.value ->> 2, started_at = v.value ->> 3, \
        finished_at = v.value ->> 4, attempt = v.value ->> 5, version = version + 1 \
        FROM json_each($1) v WHERE jobs.id = v.value ->> 6",
    postgres: "UPDATE jobs SET status = $1, desired = $2, reason = $3, started_at = $4, finished_at = $5, attempt = $6, \
        version = version + 1 WHERE id = $7",
    key: Some(6),
};
const SAVE_TASK: Each = Each {
    order: 13,
    sqlite: "UPDATE tasks SET status = v.value ->> 0, desired = v.value ->> 1, reason = v.value ->> 2, started_at = v.value ->> 3, \
        finished_at = v.value ->> 4, reason_code = NULL, version = version + 1 \
        FROM json_each($1) v WHERE tasks.id = v.value ->> 5",
    postgres: "UPDATE tasks SET status = $1, desired = $2, reason = $3, started_at = $4, finished_at = $5, \
        reason_code = NULL, version = version + 1 WHERE id = $6",
    key: Some(5),
};
const TOUCH_TASK: Each = Each {
    order: 14,
    sqlite: "UPDATE tasks SET version = version + 1 FROM json_each($1) v WHERE tasks.id = v.value ->> 0",
    postgres: "UPDATE tasks SET version = version + 1 WHERE id = $1",
    key: Some(0),
};
/// A job may be handed out: id, since when.
pub(crate) const JOB_READY: Each = Each {
    order: 15,
    sqlite: "UPDATE jobs SET ready_at = v.value ->> 1 FROM json_each($1) v WHERE jobs.id = v.value ->> 0 AND jobs.ready_at IS NULL",
    postgres: "UPDATE jobs SET ready_at = $2 WHERE id = $1 AND ready_at IS NULL",
    key: Some(0),
};
/// How many lines a step wrote: id, lines.
pub(crate) const STEP_LINES: Each = Each {
    order: 16,
    sqlite: "UPDATE steps SET lines = v.value ->> 1 FROM json_each($1) v WHERE steps.id = v.value ->> 0",
    postgres: "UPDATE steps SET lines = $2 WHERE id = $1",
    key: Some(0),
};
/// What an attempt's console came to: id, bytes, digest.
pub(crate) const CONSOLE_ENDED: Each = Each {
    order: 17,
    sqlite: "UPDATE attempts SET console_bytes = v.value ->> 1, console_acked = v.value ->> 1, console_digest = v.value ->> 2 \
        FROM json_each($1) v WHERE attempts.id = v.value ->> 0",
    postgres: "UPDATE attempts SET console_bytes = $2, console_acked = $2, console_digest = $3 WHERE id = $1",
    key: Some(0),
};

/// What an attempt's console has and lacks: id, bytes stored, gaps, bytes missing in them.
pub(crate) const CONSOLE_MEASURE: Each = Each {
    order: 18,
    sqlite: "UPDATE attempts SET console_bytes = v.value ->> 1, gaps = v.value ->> 2, gap_bytes = v.value ->> 3 \
        FROM json_each($1) v WHERE attempts.id = v.value ->> 0",
    postgres: "UPDATE attempts SET console_bytes = $2, gaps = $3, gap_bytes = $4 WHERE id = $1",
    key: Some(0),
};

/// Writes what differs.
pub fn save(batch: &mut Batch, task: TaskId, changes: &Changes<'_>) {
    let at = |t: Option<Timestamp>| Value::Int(t.map(|t| t.0));
    for s in &changes.steps {
        let row = [
            s.status.as_str().into(),
            s.exit_code.into(),
            s.signal.into(),
            s.error.clone().into(),
            s.console_from.into(),
            s.console_len.into(),
            at(s.started_at),
            at(s.finished_at),
            s.id.0.into(),
        ];
        batch.each(&SAVE_STEP, row);
    }
    for a in &changes.attempts {
        let row = [
            a.status.as_str().into(),
            a.outcome.map(|o| o.as_str().to_owned()).into(),
            a.reason.clone().into(),
            a.agent.map(|g| g.0).into(),
            a.epoch.into(),
            at(a.lease_until),
            at(a.deadline_at),
            at(a.assigned_at),
            at(a.started_at),
            at(a.finished_at),
            a.executor.map(|e| e.as_str().to_owned()).into(),
            a.id.0.into(),
        ];
        batch.each(&SAVE_ATTEMPT, row);
    }
    for j in &changes.jobs {
        let row = [
            j.status.as_str().into(),
            j.desired.as_str().into(),
            j.reason.clone().into(),
            at(j.started_at),
            at(j.finished_at),
            j.attempt.number.into(),
            j.id.0.into(),
        ];
        batch.each(&SAVE_JOB, row);
    }
    // The task's version rises with every change below it: it is what caches and pages compare.
    match changes.task {
        Some(t) => {
            let row = [
                t.status.as_str().into(),
                t.desired.as_str().into(),
                t.reason.clone().into(),
                at(t.started_at),
                at(t.finished_at),
                t.id.0.into(),
            ];
            batch.each(&SAVE_TASK, row);
        }
        None => batch.each(&TOUCH_TASK, [task.0.into()]),
    }
}

/// Ids of an attempt just written.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its steps, in order.
    pub steps: Vec<StepId>,
}

/// Writes another attempt of a job, its steps like the last one's.
///
/// # Errors
/// When the database fails.
pub async fn new_attempt(
    tx: &mut Tx,
    job: &JobState,
    number: i64,
    not_before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Fresh> {
    let id = tx.id("attempts").await?;
    let steps: Vec<NewStep> = job
        .attempt
        .steps
        .iter()
        .map(|s| NewStep {
            kind: s.kind,
            ordinal: s.ordinal,
            name: s.name.clone(),
            allow_failure: s.allow_failure,
        })
        .collect();
    let ids = tx.ids("steps", steps.len()).await?;
    let mut batch = Batch::default();
    // Pushed, not said of each: the last attempt must have ended before this one is there.
    batch.push(
        "INSERT INTO attempts (id, job_id, number, status, epoch) VALUES ($1, $2, $3, 'waiting', $4)",
        [id.into(), job.id.0.into(), number.into(), job.attempt.epoch.into()],
    );
    push_steps(&mut batch, id, &steps, &ids, None, now);
    batch.push(
        "UPDATE jobs SET attempt = $1, ready_at = $2, not_before = $3 WHERE id = $4",
        [
            number.into(),
            now.0.into(),
            not_before.map(|t| t.0).into(),
            job.id.0.into(),
        ],
    );
    tx.later(batch);
    Ok(Fresh {
        attempt: AttemptId(id),
        steps: ids.into_iter().map(StepId).collect(),
    })
}
