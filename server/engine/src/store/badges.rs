//! What badges need of plans: the key, and how the last task ended.
//!
//! **Invariant:** an archived plan has no badge.

use super::{Error, Result, Store, Tx, on, on_tx};
use domain::status::TaskStatus;
use domain::{PlanId, ProjectId, Timestamp};
use sqlx::AssertSqlSafe;

/// A plan as its badge needs it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Keyed {
    /// Its name.
    pub name: String,
    /// Its key.
    pub badge_key: Option<String>,
    /// When that was made.
    pub badge_at: Option<i64>,
}

/// A plan with its key; `None` when there is none or it is archived.
///
/// # Errors
/// When the database fails.
pub async fn keyed(store: &Store, project: ProjectId, plan: PlanId) -> Result<Option<Keyed>> {
    let sql = "SELECT name, badge_key, badge_at FROM plans WHERE id = $1 AND project_id = $2 AND archived_at IS NULL";
    Ok(on!(store.db(), p => sqlx::query_as(sql).bind(plan.0).bind(project.0).fetch_optional(p).await?))
}

/// Gives a plan a key, or none; its name, or `None` when there is no such plan. Its version stays: a key is no part of what
/// is edited.
///
/// # Errors
/// When the database fails.
pub async fn put(
    tx: &mut Tx,
    project: ProjectId,
    plan: PlanId,
    key: Option<&str>,
    now: Timestamp,
) -> Result<Option<String>> {
    let sql = "UPDATE plans SET badge_key = $3, badge_at = $4 WHERE id = $1 AND project_id = $2 AND archived_at IS NULL \
         RETURNING name";
    let row: Option<(String,)> = on_tx!(tx, c => {
        sqlx::query_as(sql).bind(plan.0).bind(project.0).bind(key).bind(key.map(|_| now.0)).fetch_optional(c).await?
    });
    Ok(row.map(|(name,)| name))
}

/// How a plan's last finished task ended, of one branch where that is given; where none has, how its newest one fares.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn status(store: &Store, plan: PlanId, branch: Option<&str>) -> Result<Option<TaskStatus>> {
    let of = match branch {
        Some(_) => "plan_id = $1 AND branch = $2",
        None => "plan_id = $1",
    };
    // Two questions instead of one that sorts: each is read off the end of an index.
    for finished in ["AND finished_at IS NOT NULL", ""] {
        let sql = AssertSqlSafe(format!(
            "SELECT status FROM tasks WHERE {of} {finished} ORDER BY id DESC LIMIT 1"
        ));
        let row: Option<(String,)> = on!(store.db(), p => {
            let asked = sqlx::query_as(sql).bind(plan.0);
            match branch {
                Some(branch) => asked.bind(branch).fetch_optional(p).await?,
                None => asked.fetch_optional(p).await?,
            }
        });
        if let Some((status,)) = row {
            return status.parse().map(Some).map_err(|e| Error::corrupt("tasks", e));
        }
    }
    Ok(None)
}
