//! The plan a task is to be made of, at its current revision.
//!
//! **Invariant:** what is read here is checked already; the document is not looked at again.

use crate::store::{Error, Result, Store, on};
use domain::plan::Plan;
use domain::{PlanId, ProjectId};
use sqlx::FromRow;

/// A plan as it would run now.
#[derive(Debug, Clone)]
pub struct Runnable {
    /// Its project.
    pub project: ProjectId,
    /// Its id.
    pub plan: PlanId,
    /// Whether it may run.
    pub enabled: bool,
    /// Its current revision.
    pub revision: i64,
    /// That revision's document.
    pub digest: String,
    /// The checked plan.
    pub resolved: Plan,
}

#[derive(FromRow)]
struct Row {
    project_id: i64,
    enabled: bool,
    revision: i64,
    digest: String,
    resolved: String,
}

/// Reads it; `None` when there is no such plan, or it is archived.
///
/// # Errors
/// When the database fails or the document does not read.
pub async fn runnable(store: &Store, plan: PlanId) -> Result<Option<Runnable>> {
    let row: Option<Row> = on!(store.db(), p => sqlx::query_as(
        "SELECT p.project_id, p.enabled, p.revision, r.digest, d.resolved FROM plans p \
         JOIN plan_revisions r ON r.plan_id = p.id AND r.number = p.revision JOIN documents d ON d.digest = r.digest \
         WHERE p.id = $1 AND p.archived_at IS NULL").bind(plan.0).fetch_optional(p).await?);
    row.map(|r| {
        Ok(Runnable {
            project: ProjectId(r.project_id),
            plan,
            enabled: r.enabled,
            revision: r.revision,
            digest: r.digest,
            resolved: serde_json::from_str(&r.resolved).map_err(|e| Error::corrupt("documents", e))?,
        })
    })
    .transpose()
}
