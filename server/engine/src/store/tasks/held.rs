//! Tasks that wait as a whole: for their exact commit or their document, and for a member's approval.
//!
//! **Invariant:** a task stops waiting in one statement that asks whether it still does, so what was asked too late, or
//! twice, changes nothing.

use super::insert::{NewJob, insert_jobs};
use crate::store::plans::Document;
use crate::store::{Batch, Error, Result, Store, Tx, on, on_tx};
use domain::task::Cause;
use domain::{PlanId, Problem, TaskId, Timestamp, UserId};
use sqlx::FromRow;

/// A task of which something is asked of its source.
#[derive(Debug, Clone, FromRow)]
pub struct Resolving {
    /// The task.
    pub id: i64,
    /// The branch wanted; the repository's default when absent.
    pub branch: Option<String>,
    /// The exact commit, where it is known.
    pub revision: Option<String>,
    /// The checked plan, JSON.
    pub resolved: String,
}

/// Every task of which something is asked of its source, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn resolving(store: &Store) -> Result<Vec<Resolving>> {
    Ok(on!(store.db(), p => sqlx::query_as(
        "SELECT t.id, t.branch, t.revision, d.resolved FROM tasks t JOIN documents d ON d.digest = t.digest \
         WHERE t.status = 'pending' AND t.reason_code = 'resolving' ORDER BY t.id LIMIT 1000")
        .fetch_all(p).await?))
}

/// What was found for a task.
#[derive(Debug, Clone)]
pub struct Found {
    /// The exact commit.
    pub revision: String,
    /// Its branch, where it was asked for.
    pub branch: Option<String>,
    /// What people call it.
    pub build: String,
    /// The document that was read at that commit, and the jobs of it, none of them ready.
    pub read: Option<(Document, Vec<NewJob>)>,
}

/// A task that has what it needs, but perhaps an approval.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its plan.
    pub plan: PlanId,
    /// The exact commit.
    pub revision: Option<String>,
    /// The repository of a stranger whose change it is.
    pub fork: Option<String>,
}

/// Writes down what was found for a task; `None` when it waits for that no more.
///
/// # Errors
/// When the database fails.
pub async fn found(tx: &mut Tx, id: TaskId, found: &Found, now: Timestamp) -> Result<Option<Known>> {
    let digest = found.read.as_ref().map(|(d, _)| d.digest.as_str());
    if let Some((document, _)) = &found.read {
        tx.keep_document(document).await?;
    }
    tx.forget();
    let sql = "UPDATE tasks SET revision = $1, branch = COALESCE(branch, $2), build = COALESCE(build, $3), \
               digest = COALESCE($4, digest), reason_code = NULL, reason = NULL, version = version + 1 \
               WHERE id = $5 AND status = 'pending' AND reason_code = 'resolving' RETURNING plan_id, priority, cause";
    let row: Option<(i64, i64, String)> = on_tx!(tx, c => sqlx::query_as(sql)
        .bind(&found.revision).bind(&found.branch).bind(&found.build).bind(digest).bind(id.0)
        .fetch_optional(c).await?);
    let Some((plan, priority, cause)) = row else {
        return Ok(None);
    };
    if let Some((_, jobs)) = &found.read {
        insert_jobs(tx, id, jobs, priority, now).await?;
    }
    let cause: Cause = serde_json::from_str(&cause).map_err(|e| Error::corrupt("tasks", e))?;
    Ok(Some(Known {
        plan: PlanId(plan),
        revision: Some(found.revision.clone()),
        fork: cause.fork,
    }))
}

/// Lets a task's jobs be handed out that need nothing.
pub fn free(tx: &mut Tx, id: TaskId, now: Timestamp) {
    let mut batch = Batch::default();
    batch.push(
        "UPDATE jobs SET ready_at = $1 WHERE task_id = $2 AND status = 'pending' AND ready_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM job_needs n JOIN jobs d ON d.id = n.needs_id WHERE n.job_id = jobs.id AND d.status <> 'passed')",
        [now.0.into(), id.0.into()],
    );
    tx.later(batch);
}

/// Lets a task wait for a member.
///
/// # Errors
/// When the database fails.
pub async fn hold(tx: &mut Tx, id: TaskId, reason: &str) -> Result<()> {
    let mut batch = Batch::default();
    batch.push(
        "UPDATE tasks SET reason_code = 'approval', reason = $1 WHERE id = $2 AND status = 'pending'",
        [reason.into(), id.0.into()],
    );
    tx.run(batch).await
}

/// Whether a member has approved this revision for this plan.
///
/// # Errors
/// When the database fails.
pub async fn approved(tx: &mut Tx, plan: PlanId, revision: &str) -> Result<bool> {
    let row: Option<(i64,)> = on_tx!(tx, c => sqlx::query_as(
        "SELECT plan_id FROM approved_revisions WHERE plan_id = $1 AND revision = $2")
        .bind(plan.0).bind(revision).fetch_optional(c).await?);
    Ok(row.is_some())
}

/// A task that waits for a member; `None` when it does not.
///
/// # Errors
/// When the database fails.
pub async fn awaiting(tx: &mut Tx, id: TaskId) -> Result<Option<Known>> {
    let row: Option<(i64, Option<String>, String)> = on_tx!(tx, c => sqlx::query_as(
        "SELECT plan_id, revision, cause FROM tasks WHERE id = $1 AND status = 'pending' AND reason_code = 'approval'")
        .bind(id.0).fetch_optional(c).await?);
    row.map(|(plan, revision, cause)| {
        let cause: Cause = serde_json::from_str(&cause).map_err(|e| Error::corrupt("tasks", e))?;
        Ok(Known {
            plan: PlanId(plan),
            revision,
            fork: cause.fork,
        })
    })
    .transpose()
}

/// Writes down that a member has approved a task's revision. Every task of that plan and revision that waited for it; a
/// task without a revision waits for itself alone.
///
/// # Errors
/// When the database fails.
pub async fn approve(tx: &mut Tx, id: TaskId, of: &Known, by: Option<UserId>, now: Timestamp) -> Result<Vec<TaskId>> {
    if let Some(revision) = &of.revision {
        let mut batch = Batch::default();
        batch.push(
            "INSERT INTO approved_revisions (plan_id, revision, task_id, approved_by, approved_at) VALUES ($1,$2,$3,$4,$5) \
             ON CONFLICT DO NOTHING",
            [of.plan.0.into(), revision.as_str().into(), id.0.into(), by.map(|u| u.0).into(), now.0.into()],
        );
        tx.later(batch);
    }
    tx.forget();
    let rows: Vec<(i64,)> = on_tx!(tx, c => sqlx::query_as(
        "UPDATE tasks SET reason_code = NULL, reason = NULL, version = version + 1 WHERE plan_id = $1 \
         AND status = 'pending' AND reason_code = 'approval' AND (id = $2 OR revision = $3) RETURNING id")
        .bind(of.plan.0).bind(id.0).bind(&of.revision).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id,)| TaskId(id)).collect())
}

/// Tasks that have waited for a member since before this instant.
///
/// # Errors
/// When the database fails.
pub async fn unapproved_since(store: &Store, before: Timestamp, most: i64) -> Result<Vec<TaskId>> {
    let rows: Vec<(i64,)> = on!(store.db(), p => sqlx::query_as(
        "SELECT id FROM tasks WHERE status = 'pending' AND reason_code = 'approval' AND created_at < $1 ORDER BY id LIMIT $2 + 0")
        .bind(before.0).bind(most).fetch_all(p).await?);
    Ok(rows.into_iter().map(|(id,)| TaskId(id)).collect())
}

/// A file that could not become a task's jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its path.
    pub path: String,
    /// The commit at which it was read.
    pub revision: Option<String>,
    /// What people call that.
    pub build: Option<String>,
    /// Its text, where there is one.
    pub body: Option<String>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// Keeps what was found in a file, and the commit at which, for what is told of the task.
///
/// # Errors
/// When it is no JSON, which it always is.
pub fn keep_unread(tx: &mut Tx, id: TaskId, file: &Unread) -> Result<()> {
    let problems = serde_json::to_string(&file.problems).map_err(|e| Error::corrupt("task_files", e))?;
    let mut batch = Batch::default();
    batch.push(
        "UPDATE tasks SET revision = COALESCE(revision, $1), build = COALESCE(build, $2) WHERE id = $3",
        [file.revision.clone().into(), file.build.clone().into(), id.0.into()],
    );
    batch.push(
        "INSERT INTO task_files (task_id, path, revision, body, problems) VALUES ($1,$2,$3,$4,$5) ON CONFLICT DO NOTHING",
        [
            id.0.into(),
            file.path.as_str().into(),
            file.revision.clone().into(),
            file.body.clone().into(),
            problems.into(),
        ],
    );
    tx.later(batch);
    Ok(())
}

/// What was found in a task's file that could not become its jobs.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn unread(store: &Store, id: TaskId) -> Result<Option<Unread>> {
    let row: Option<(String, Option<String>, Option<String>, String)> = on!(store.db(), p => sqlx::query_as(
        "SELECT path, revision, body, problems FROM task_files WHERE task_id = $1").bind(id.0).fetch_optional(p).await?);
    row.map(|(path, revision, body, problems)| {
        Ok(Unread {
            path,
            build: None,
            revision,
            body,
            problems: serde_json::from_str(&problems).map_err(|e| Error::corrupt("task_files", e))?,
        })
    })
    .transpose()
}

/// The document of a task as it was read: text and checked plan, JSON.
///
/// # Errors
/// When the database fails.
pub async fn document(store: &Store, id: TaskId) -> Result<Option<(String, String)>> {
    Ok(on!(store.db(), p => sqlx::query_as(
        "SELECT d.body, d.resolved FROM tasks t JOIN documents d ON d.digest = t.digest WHERE t.id = $1")
        .bind(id.0).fetch_optional(p).await?))
}
