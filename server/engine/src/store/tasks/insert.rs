//! A task is born whole: task, jobs, needs, first attempts and steps in one transaction.
//!
//! **Invariant:** every id an agent will ever name exists before the agent hears of the task.

use crate::store::batch::Each;
use crate::store::{Batch, Error, Result, Tx, on};
use domain::status::{JobStatus, StepKind};
use domain::task::Cause;
use domain::{JobId, PlanId, ProjectId, TaskId, Timestamp, UserId};
use sqlx::Row;
use std::collections::{BTreeMap, HashMap};

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
    /// When it is tried again, JSON; `None` for never.
    pub retry: Option<String>,
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
    /// `resolving` while something is asked of its source, `approval` while a member is to approve its revision.
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
    /// The repository of a stranger whose change it ran.
    pub fork: Option<String>,
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
               t.message, t.author, t.priority, t.parameters, t.finished_at, t.cause \
               FROM tasks t JOIN documents d ON d.digest = t.digest WHERE t.id = $1";
    macro_rules! read {
        ($p:expr) => {{
            let Some(r) = sqlx::query(sql).bind(id.0).fetch_optional(&mut *$p).await? else {
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
                fork: serde_json::from_str::<Cause>(r.get::<&str, _>(13))
                    .map_err(|e| Error::corrupt("tasks", e))?
                    .fork,
                jobs,
                ended: r.get::<Option<i64>, _>(12).is_some(),
            }
        }};
    }
    Ok(Some(on!(store.db(), p => read!(p))))
}

/// Inserts the task; answers its id and its jobs', in their order.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &mut Tx, task: &NewTask, now: Timestamp) -> Result<(TaskId, Vec<JobId>)> {
    let id = tx.id("tasks").await?;
    let mut batch = Batch::default();
    push_task(&mut batch, id, task, now)?;
    let jobs = push_jobs(tx, &mut batch, id, &task.jobs, task.priority, now).await?;
    tx.later(batch);
    Ok((TaskId(id), jobs))
}

/// Gives a task that has none its jobs: its document is known now.
///
/// # Errors
/// When the database fails.
pub async fn insert_jobs(tx: &mut Tx, task: TaskId, jobs: &[NewJob], priority: i64, now: Timestamp) -> Result<()> {
    let mut batch = Batch::default();
    push_jobs(tx, &mut batch, task.0, jobs, priority, now).await?;
    // The task is remembered without them, if it is.
    tx.run(batch).await
}

async fn push_jobs(
    tx: &mut Tx,
    batch: &mut Batch,
    id: i64,
    new: &[NewJob],
    priority: i64,
    now: Timestamp,
) -> Result<Vec<JobId>> {
    let jobs = tx.ids("jobs", new.len()).await?;
    let attempts = tx.ids("attempts", new.len()).await?;
    let steps = tx.ids("steps", new.iter().map(|j| j.steps.len()).sum()).await?;
    let by_key: HashMap<&str, i64> = new.iter().map(|j| j.key.as_str()).zip(jobs.iter().copied()).collect();
    let mut steps = steps.as_slice();
    for (i, ((job, id_of_job), attempt)) in new.iter().zip(&jobs).zip(&attempts).enumerate() {
        push_job(batch, *id_of_job, id, i, job, priority, now);
        push_attempt(batch, *attempt, *id_of_job, job.passed.is_some(), now);
        let (own, rest) = steps.split_at(job.steps.len());
        steps = rest;
        push_steps(batch, *attempt, &job.steps, own, job.passed.as_deref(), now);
        for need in job.needs.iter().filter_map(|need| by_key.get(need.as_str())) {
            batch.each(&NEED, [(*id_of_job).into(), (*need).into()]);
        }
    }
    Ok(jobs.into_iter().map(JobId).collect())
}

const TASK: Each = Each {
    order: 0,
    sqlite: "INSERT INTO tasks (id, project_id, plan_id, plan_revision, digest, status, reason_code, reason, priority, build, \
        revision, branch, message, author, cause_kind, cause, rerun_of, parameters, created_by, created_at, \
        firing_id, firing_n) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, 'pending', value ->> 5, value ->> 6, value ->> 7, \
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, \
        value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20 FROM json_each($1)",
    postgres: "INSERT INTO tasks (id, project_id, plan_id, plan_revision, digest, status, reason_code, reason, priority, build, \
        revision, branch, message, author, cause_kind, cause, rerun_of, parameters, created_by, created_at, \
        firing_id, firing_n) VALUES ($1,$2,$3,$4,$5,'pending',$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)",
    key: None,
};
const JOB: Each = Each {
    order: 1,
    sqlite: "INSERT INTO jobs (id, task_id, key, name, ordinal, spec, status, requirements, priority, ready_at, reason, finished_at, \
        timeout_ms, retry) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
        value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12 FROM json_each($1)",
    postgres: "INSERT INTO jobs (id, task_id, key, name, ordinal, spec, status, requirements, priority, ready_at, reason, finished_at, \
        timeout_ms, retry) VALUES ($1,$2,$3,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
    key: None,
};
const ATTEMPT: Each = Each {
    order: 2,
    sqlite: "INSERT INTO attempts (id, job_id, number, status, outcome, finished_at) \
        SELECT value ->> 0, value ->> 1, 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)",
    postgres: "INSERT INTO attempts (id, job_id, number, status, outcome, finished_at) VALUES ($1,$2,1,$3,$4,$5)",
    key: None,
};
const STEP: Each = Each {
    order: 3,
    sqlite: "INSERT INTO steps (id, attempt_id, kind, ordinal, name, allow_failure, status, error, finished_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
        value ->> 8 FROM json_each($1)",
    postgres: "INSERT INTO steps (id, attempt_id, kind, ordinal, name, allow_failure, status, error, finished_at) \
        VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
    key: None,
};
const NEED: Each = Each {
    order: 4,
    sqlite: "INSERT INTO job_needs (job_id, needs_id) SELECT value ->> 0, value ->> 1 FROM json_each($1)",
    postgres: "INSERT INTO job_needs (job_id, needs_id) VALUES ($1, $2)",
    key: None,
};

fn push_task(batch: &mut Batch, id: i64, task: &NewTask, now: Timestamp) -> Result<()> {
    let cause = serde_json::to_string(&task.cause).map_err(|e| Error::corrupt("tasks", e))?;
    let parameters = serde_json::to_string(&task.parameters).map_err(|e| Error::corrupt("tasks", e))?;
    let row = [
        id.into(),
        task.project.0.into(),
        task.plan.0.into(),
        task.plan_revision.into(),
        task.digest.as_str().into(),
        task.reason_code.clone().into(),
        task.reason.clone().into(),
        task.priority.into(),
        task.build.clone().into(),
        task.revision.clone().into(),
        task.branch.clone().into(),
        task.message.clone().into(),
        task.author.clone().into(),
        task.cause.kind.as_str().into(),
        cause.into(),
        task.cause.rerun_of.map(|t| t.0).into(),
        parameters.into(),
        task.created_by.map(|u| u.0).into(),
        now.0.into(),
        task.cause.firing_id.map(|f| f.0).into(),
        task.cause.firing_id.map(|_| 0_i64).into(),
    ];
    batch.each(&TASK, row);
    Ok(())
}

fn push_job(batch: &mut Batch, id: i64, task: i64, ordinal: usize, job: &NewJob, priority: i64, now: Timestamp) {
    let row = [
        id.into(),
        task.into(),
        job.key.as_str().into(),
        (ordinal as i64).into(),
        job.spec.as_str().into(),
        if job.passed.is_some() { "passed" } else { "pending" }.into(),
        job.requirements.as_str().into(),
        priority.into(),
        job.ready_at.map(|t| t.0).into(),
        job.passed.clone().into(),
        job.passed.as_ref().map(|_| now.0).into(),
        job.timeout_ms.into(),
        job.retry.clone().into(),
    ];
    batch.each(&JOB, row);
}

fn push_attempt(batch: &mut Batch, id: i64, job: i64, passed: bool, now: Timestamp) {
    let row = [
        id.into(),
        job.into(),
        if passed { "ended" } else { "waiting" }.into(),
        passed.then(|| "passed".to_owned()).into(),
        passed.then_some(now.0).into(),
    ];
    batch.each(&ATTEMPT, row);
}

/// Adds the inserts of an attempt's steps, under the ids given. With `passed`, they stand there as skipped and say so.
pub(super) fn push_steps(
    batch: &mut Batch,
    attempt: i64,
    steps: &[NewStep],
    ids: &[i64],
    passed: Option<&str>,
    now: Timestamp,
) {
    for (s, id) in steps.iter().zip(ids) {
        let row = [
            (*id).into(),
            attempt.into(),
            s.kind.as_str().into(),
            s.ordinal.into(),
            s.name.as_str().into(),
            s.allow_failure.into(),
            if passed.is_some() { "skipped" } else { "pending" }.into(),
            passed.map(str::to_owned).into(),
            passed.map(|_| now.0).into(),
        ];
        batch.each(&STEP, row);
    }
}
