//! Tasks as the API and the pages show them, read in four queries for any number of tasks.
//!
//! **Invariant:** a view shows the current attempt of each job; older ones are asked for by [`attempts_of`].

use crate::store::{Db, Error, Result, Store, on};
use domain::status::TaskStatus;
use domain::task::{AgentRef, AttemptView, Cause, JobView, PlanRef, StepView, TaskView};
use domain::{AgentId, AttemptId, JobId, PlanId, StepId, TaskId, Timestamp};
use sqlx::{AssertSqlSafe, FromRow};
use std::collections::HashMap;

#[derive(FromRow)]
struct TaskRow {
    id: i64,
    plan_id: i64,
    plan_name: String,
    plan_revision: i64,
    status: String,
    desired: String,
    reason_code: Option<String>,
    reason: Option<String>,
    build: Option<String>,
    revision: Option<String>,
    branch: Option<String>,
    message: Option<String>,
    author: Option<String>,
    cause: String,
    parameters: String,
    priority: i64,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    version: i64,
}

#[derive(FromRow)]
struct JobRow {
    id: i64,
    task_id: i64,
    name: String,
    status: String,
    reason: Option<String>,
    spec: String,
    attempt: i64,
    attempt_id: i64,
    agent_id: Option<i64>,
    agent_name: Option<String>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

#[derive(FromRow)]
struct StepRow {
    id: i64,
    attempt_id: i64,
    kind: String,
    name: String,
    allow_failure: bool,
    status: String,
    exit_code: Option<i64>,
    signal: Option<i64>,
    error: Option<String>,
    console_from: i64,
    console_len: i64,
    lines: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

/// What of a job's spec its view needs.
#[derive(serde::Deserialize)]
struct SpecHead {
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    image: Option<String>,
}

/// `IN` a JSON array of integers bound as the first value.
fn in_ids(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => "IN (SELECT value FROM json_each($1))",
        Db::Postgres(_) => "IN (SELECT value::bigint FROM json_array_elements_text($1::json))",
    }
}

/// One task, or `None`.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn view(store: &Store, id: TaskId) -> Result<Option<TaskView>> {
    Ok(views(store, &[id]).await?.pop())
}

/// Tasks in the order of the ids; absent ones are left out.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn views(store: &Store, ids: &[TaskId]) -> Result<Vec<TaskView>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let db = store.db();
    let list = json(ids.iter().map(|t| t.0));
    let within = in_ids(db);
    let tasks_sql = format!(
        "SELECT t.id, t.plan_id, p.name AS plan_name, t.plan_revision, t.status, t.desired, t.reason_code, t.reason, t.build, t.revision, \
         t.branch, t.message, t.author, t.cause, t.parameters, t.priority, t.created_at, t.started_at, t.finished_at, t.version \
         FROM tasks t JOIN plans p ON p.id = t.plan_id WHERE t.id {within}"
    );
    let jobs_sql = format!(
        "SELECT j.id, j.task_id, j.name, j.status, j.reason, j.spec, j.attempt, a.id AS attempt_id, a.agent_id, \
         g.name AS agent_name, j.started_at, j.finished_at \
         FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt LEFT JOIN agents g ON g.id = a.agent_id \
         WHERE j.task_id {within} ORDER BY j.task_id, j.ordinal"
    );
    let (tasks, jobs): (Vec<TaskRow>, Vec<JobRow>) = on!(db, p => (
        sqlx::query_as(AssertSqlSafe(tasks_sql)).bind(&list).fetch_all(&mut *p).await?,
        sqlx::query_as(AssertSqlSafe(jobs_sql)).bind(&list).fetch_all(p).await?,
    ));
    let mut steps = steps_of(store, &jobs.iter().map(|j| j.attempt_id).collect::<Vec<_>>()).await?;
    let mut by_task: HashMap<i64, Vec<JobView>> = HashMap::new();
    for j in jobs {
        let task = j.task_id;
        let mine = steps.remove(&j.attempt_id).unwrap_or_default();
        by_task.entry(task).or_default().push(job_view(j, mine)?);
    }
    let mut by_id: HashMap<i64, TaskView> = HashMap::new();
    for t in tasks {
        let jobs = by_task.remove(&t.id).unwrap_or_default();
        by_id.insert(t.id, task_view(t, jobs)?);
    }
    Ok(ids.iter().filter_map(|id| by_id.remove(&id.0)).collect())
}

/// Every attempt of a job, newest first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn attempts_of(store: &Store, job: JobId) -> Result<Vec<AttemptView>> {
    #[derive(FromRow)]
    struct Row {
        id: i64,
        job_id: i64,
        number: i64,
        status: String,
        outcome: Option<String>,
        reason: Option<String>,
        agent_id: Option<i64>,
        agent_name: Option<String>,
        epoch: i64,
        executor: Option<String>,
        lease_until: Option<i64>,
        assigned_at: Option<i64>,
        started_at: Option<i64>,
        finished_at: Option<i64>,
        console_bytes: i64,
        console_digest: Option<String>,
        gaps: i64,
        gap_bytes: i64,
    }
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(
        "SELECT a.id, a.job_id, a.number, a.status, a.outcome, a.reason, a.agent_id, g.name AS agent_name, a.epoch, a.executor, \
         a.lease_until, a.assigned_at, a.started_at, a.finished_at, a.console_bytes, a.console_digest, a.gaps, a.gap_bytes FROM attempts a LEFT JOIN agents g ON g.id = a.agent_id \
         WHERE a.job_id = $1 ORDER BY a.number DESC").bind(job.0).fetch_all(p).await?);
    let mut steps = steps_of(store, &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
    rows.into_iter()
        .map(|r| {
            Ok(AttemptView {
                id: AttemptId(r.id),
                job_id: JobId(r.job_id),
                number: r.number,
                status: word(&r.status, "attempts")?,
                outcome: r.outcome.as_deref().map(|o| word(o, "attempts")).transpose()?,
                reason: r.reason,
                agent: agent(r.agent_id, r.agent_name),
                epoch: r.epoch,
                lease_until: r.lease_until.map(Timestamp),
                executor: r.executor.as_deref().map(|o| word(o, "attempts")).transpose()?,
                assigned_at: r.assigned_at.map(Timestamp),
                started_at: r.started_at.map(Timestamp),
                finished_at: r.finished_at.map(Timestamp),
                console_bytes: r.console_bytes,
                console_digest: r.console_digest,
                gaps: r.gaps,
                gap_bytes: r.gap_bytes,
                steps: steps.remove(&r.id).unwrap_or_default(),
            })
        })
        .collect()
}

/// The task of a job, or `None`.
///
/// # Errors
/// When the database fails.
pub async fn job_task(store: &Store, job: JobId) -> Result<Option<TaskId>> {
    let id: Option<i64> = on!(store.db(), p => sqlx::query_scalar("SELECT task_id FROM jobs WHERE id = $1")
        .bind(job.0).fetch_optional(p).await?);
    Ok(id.map(TaskId))
}

async fn steps_of(store: &Store, attempts: &[i64]) -> Result<HashMap<i64, Vec<StepView>>> {
    let db = store.db();
    let sql = format!(
        "SELECT id, attempt_id, kind, name, allow_failure, status, exit_code, signal, error, console_from, console_len, lines, \
         started_at, finished_at FROM steps WHERE attempt_id {} ORDER BY attempt_id, \
         CASE kind WHEN 'setup' THEN 0 WHEN 'step' THEN 1 WHEN 'service' THEN 2 ELSE 3 END, ordinal",
        in_ids(db)
    );
    let list = json(attempts.iter().copied());
    let rows: Vec<StepRow> = on!(db, p => sqlx::query_as(AssertSqlSafe(sql)).bind(list).fetch_all(p).await?);
    let mut out: HashMap<i64, Vec<StepView>> = HashMap::new();
    for s in rows {
        out.entry(s.attempt_id).or_default().push(StepView {
            id: StepId(s.id),
            kind: word(&s.kind, "steps")?,
            name: s.name,
            status: word(&s.status, "steps")?,
            exit_code: s.exit_code,
            signal: s.signal,
            error: s.error,
            allow_failure: s.allow_failure,
            started_at: s.started_at.map(Timestamp),
            finished_at: s.finished_at.map(Timestamp),
            console_from: s.console_from,
            bytes: s.console_len,
            lines: s.lines.unwrap_or(0),
        });
    }
    Ok(out)
}

fn job_view(j: JobRow, steps: Vec<StepView>) -> Result<JobView> {
    use domain::status::StepKind;
    let spec: SpecHead = serde_json::from_str(&j.spec).map_err(|e| Error::corrupt("jobs", e))?;
    let of = |kind: StepKind| steps.iter().filter(|s| s.kind == kind).cloned().collect();
    Ok(JobView {
        id: JobId(j.id),
        name: j.name,
        status: word(&j.status, "jobs")?,
        reason: j.reason,
        needs: spec.needs,
        image: spec.image,
        attempt: j.attempt,
        attempt_id: AttemptId(j.attempt_id),
        agent: agent(j.agent_id, j.agent_name),
        started_at: j.started_at.map(Timestamp),
        finished_at: j.finished_at.map(Timestamp),
        setup: of(StepKind::Setup),
        steps: of(StepKind::Step),
        services: of(StepKind::Service),
        cleanup: of(StepKind::Cleanup),
    })
}

fn task_view(t: TaskRow, jobs: Vec<JobView>) -> Result<TaskView> {
    let cause: Cause = serde_json::from_str(&t.cause).map_err(|e| Error::corrupt("tasks", e))?;
    let newest = jobs.iter().filter(|j| j.agent.is_some()).max_by_key(|j| j.started_at);
    Ok(TaskView {
        id: TaskId(t.id),
        plan: PlanRef {
            id: PlanId(t.plan_id),
            name: t.plan_name,
            revision: t.plan_revision,
        },
        status: word(&t.status, "tasks")?,
        desired: word(&t.desired, "tasks")?,
        reason: t.reason,
        awaits_approval: t.reason_code.as_deref() == Some("approval"),
        build: t.build,
        revision: t.revision,
        branch: t.branch,
        message: t.message,
        author: t.author,
        cause,
        parameters: serde_json::from_str(&t.parameters).map_err(|e| Error::corrupt("tasks", e))?,
        priority: t.priority,
        agent: newest.and_then(|j| j.agent.clone()),
        created_at: Timestamp(t.created_at),
        started_at: t.started_at.map(Timestamp),
        finished_at: t.finished_at.map(Timestamp),
        jobs,
        version: t.version,
    })
}

fn agent(id: Option<i64>, name: Option<String>) -> Option<AgentRef> {
    Some(AgentRef {
        id: AgentId(id?),
        name: name?,
    })
}

pub(in crate::store) fn word<T: std::str::FromStr<Err: ToString>>(s: &str, table: &'static str) -> Result<T> {
    s.parse().map_err(|e: T::Err| Error::corrupt(table, e.to_string()))
}

fn json(ids: impl Iterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.map(|i| i.to_string()).collect();
    format!("[{}]", ids.join(","))
}

/// Whether the newest task of a plan at a revision has ended in one of these ways.
///
/// # Errors
/// When the database fails.
pub async fn ended_so(store: &Store, plan: PlanId, revision: &str, results: &[TaskStatus]) -> Result<bool> {
    let sql = "SELECT status FROM tasks WHERE plan_id = $1 AND revision = $2 ORDER BY id DESC LIMIT 1";
    let row: Option<(String,)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(plan.0).bind(revision).fetch_optional(p).await?);
    Ok(row.is_some_and(|(status,)| results.iter().any(|r| r.as_str() == status)))
}
