//! Enqueueing: a plan, or an earlier task, becomes a task with all its rows.
//!
//! **Invariant:** a job's `ready_at` is set exactly when nothing of its own task holds it up any more.

use super::approval::needs_approval;
use crate::store::tasks::{self, NewJob, NewStep, NewTask, Runnable, Snapshot};
use crate::store::{Error, NewEvent, Result, Tx};
use domain::plan::{Job, Plan};
use domain::status::{JobStatus, StepKind};
use domain::task::{Cause, CauseKind};
use domain::{FiringId, PlanId, TaskId, Timestamp, UserId};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

/// Who makes a task, and how.
#[derive(Debug, Clone)]
pub struct Making {
    /// The user; `None` for triggers.
    pub user: Option<UserId>,
    /// Their name; the trigger's.
    pub by: String,
    /// Why.
    pub cause: CauseKind,
    /// The firing, for triggers.
    pub firing: Option<FiringId>,
    /// Branch wanted; the plan's when absent.
    pub branch: Option<String>,
    /// Exact commit wanted; the branch's head when absent.
    pub revision: Option<String>,
    /// Parameters.
    pub parameters: BTreeMap<String, String>,
    /// −100 to 100.
    pub priority: i64,
    /// The commit's message, where it is known.
    pub message: Option<String>,
    /// The commit's author, where they are known.
    pub author: Option<String>,
    /// The repository of a stranger whose change it is.
    pub fork: Option<String>,
}

/// Makes a task of a plan, inside a write.
///
/// # Errors
/// When the database fails.
pub(crate) async fn create(tx: &mut Tx, source: &Runnable, making: &Making, now: Timestamp) -> Result<TaskId> {
    let has_source = source.resolved.source.as_ref();
    let waits = waits(
        tx,
        source.plan,
        &source.resolved,
        making.revision.as_deref(),
        making.fork.as_deref(),
    )
    .await?;
    // An event that names a commit and no branch, as of a tag, is of none.
    let usual = has_source.filter(|_| making.firing.is_none() || making.revision.is_none());
    let branch = making.branch.clone().or_else(|| usual.and_then(|s| s.branch.clone()));
    let task = NewTask {
        project: source.project,
        plan: source.plan,
        plan_revision: source.revision,
        digest: source.digest.clone(),
        cause: Cause {
            kind: making.cause,
            by: Some(making.by.clone()),
            rerun_of: None,
            firing_id: making.firing,
            fork: making.fork.clone(),
        },
        created_by: making.user,
        build: making.revision.as_deref().map(short),
        revision: making.revision.clone(),
        message: making.message.clone(),
        author: making.author.clone(),
        reason_code: waits.code.map(str::to_owned),
        reason: waits.reason,
        priority: making.priority,
        parameters: making.parameters.clone(),
        jobs: jobs(&source.resolved, waits.code.is_some(), &HashSet::new(), None, now)?,
        branch,
    };
    insert(tx, &task, &making.by, now).await
}

/// Makes a task of an earlier one's snapshot, inside a write. With `failed_only`, jobs that passed count as passed.
///
/// # Errors
/// When the database fails.
pub(crate) async fn again(
    tx: &mut Tx,
    of: TaskId,
    snapshot: &Snapshot,
    failed_only: bool,
    making: &Making,
    now: Timestamp,
) -> Result<TaskId> {
    let (revision, fork) = (snapshot.revision.as_deref(), snapshot.fork.as_deref());
    let waits = waits(tx, snapshot.plan, &snapshot.resolved, revision, fork).await?;
    let passed: HashSet<&str> = snapshot
        .jobs
        .iter()
        .filter(|(_, s)| failed_only && **s == JobStatus::Passed)
        .map(|(k, _)| k.as_str())
        .collect();
    let task = NewTask {
        project: snapshot.project,
        plan: snapshot.plan,
        plan_revision: snapshot.plan_revision,
        digest: snapshot.digest.clone(),
        cause: Cause {
            kind: CauseKind::Rerun,
            by: Some(making.by.clone()),
            rerun_of: Some(of),
            firing_id: None,
            fork: snapshot.fork.clone(),
        },
        created_by: making.user,
        build: snapshot.build.clone(),
        revision: snapshot.revision.clone(),
        branch: snapshot.branch.clone(),
        message: snapshot.message.clone(),
        author: snapshot.author.clone(),
        reason_code: waits.code.map(str::to_owned),
        reason: waits.reason,
        priority: snapshot.priority,
        parameters: snapshot.parameters.clone(),
        jobs: jobs(&snapshot.resolved, waits.code.is_some(), &passed, Some(of), now)?,
    };
    insert(tx, &task, &making.by, now).await
}

/// What a whole task waits for when it is made.
struct Waits {
    code: Option<&'static str>,
    reason: Option<String>,
}

async fn waits(
    tx: &mut Tx,
    plan: PlanId,
    resolved: &Plan,
    revision: Option<&str>,
    fork: Option<&str>,
) -> Result<Waits> {
    if resolved.asks(revision) {
        return Ok(Waits {
            code: Some("resolving"),
            // Where there are jobs, they say it.
            reason: resolved.unread().map(reading),
        });
    }
    let reason = match fork {
        Some(fork) => needs_approval(tx, plan, revision, fork).await?,
        None => None,
    };
    Ok(Waits {
        code: reason.is_some().then_some("approval"),
        reason,
    })
}

fn reading(file: &str) -> String {
    format!("The plan is being read from `{file}` of its repository.")
}

async fn insert(tx: &mut Tx, task: &NewTask, by: &str, now: Timestamp) -> Result<TaskId> {
    let (id, _) = tasks::insert(tx, task, now).await?;
    tx.emit(NewEvent {
        at: now,
        kind: "task.created",
        subject: "task",
        subject_id: id.0,
        task_id: Some(id),
        actor: Some(by.to_owned()),
        body: json!({ "plan_id": task.plan, "cause": task.cause.kind }),
    });
    Ok(id)
}

/// The jobs of a document that was read for a task; none is ready.
pub(super) fn jobs_of(plan: &Plan) -> Result<Vec<NewJob>> {
    jobs(plan, true, &HashSet::new(), None, Timestamp(0))
}

/// The jobs to be. Those in `passed` stand there as passed in task `of`.
fn jobs(plan: &Plan, held: bool, passed: &HashSet<&str>, of: Option<TaskId>, now: Timestamp) -> Result<Vec<NewJob>> {
    plan.jobs
        .iter()
        .map(|job| {
            let done = passed.contains(job.key.as_str());
            let free = job.needs.iter().all(|n| passed.contains(n.as_str()));
            Ok(NewJob {
                key: job.key.clone(),
                needs: job.needs.clone(),
                spec: serde_json::to_string(job).map_err(|e| Error::corrupt("jobs", e))?,
                requirements: tasks::demands(job),
                timeout_ms: job.timeout_ms,
                retry: (!job.retry.is_none())
                    .then(|| serde_json::to_string(&job.retry))
                    .transpose()
                    .map_err(|e| Error::corrupt("jobs", e))?,
                steps: steps(job, plan.source.is_some()),
                ready_at: (free && !held && !done).then_some(now),
                passed: of.filter(|_| done).map(|t| format!("Passed in #{t}; not run again.")),
            })
        })
        .collect()
}

/// A job's steps: `prepare` (workspace and image), `checkout` when there is a source, then the plan's own.
fn steps(job: &Job, source: bool) -> Vec<NewStep> {
    let setup = ["prepare"].into_iter().chain(source.then_some("checkout"));
    let setup = setup.enumerate().map(|(i, name)| NewStep {
        kind: StepKind::Setup,
        ordinal: i as i64,
        name: name.to_owned(),
        allow_failure: false,
    });
    let own = job.steps.iter().enumerate().map(|(i, s)| NewStep {
        kind: StepKind::Step,
        ordinal: i as i64,
        name: s.name.clone(),
        allow_failure: s.allow_failure,
    });
    setup.chain(own).collect()
}

/// The first twelve digits of a commit: what people call a build.
pub(crate) fn short(revision: &str) -> String {
    revision.chars().take(12).collect()
}
