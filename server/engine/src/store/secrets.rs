//! Secrets as they are sealed: by project, or by plan and then before the project's of the same name.
//!
//! **Invariant:** a version is written once; what is read here is of use to nobody without the master key.

use super::{Result, Store, Tx, on, on_tx};
use domain::{PlanId, ProjectId, Timestamp, UserId};

/// A sealed secret; each part as hex.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Sealed {
    /// Which master key.
    pub key_id: String,
    /// The secret's own key below it, behind its nonce.
    pub wrapped_key: String,
    /// The secret's nonce.
    pub nonce: String,
    /// The secret.
    pub ciphertext: String,
}

/// Whose a secret is, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The project.
    pub project: ProjectId,
    /// The plan, when it is one plan's alone.
    pub plan: Option<PlanId>,
    /// The name.
    pub name: String,
}

/// A secret without its value.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    /// Id of the version.
    pub id: i64,
    /// Project.
    pub project_id: i64,
    /// Plan, when it is one plan's alone.
    pub plan_id: Option<i64>,
    /// Name.
    pub name: String,
    /// Version.
    pub n: i64,
    /// The master key it is under.
    pub key_id: String,
    /// Who set it; `None` for the command line.
    pub created_by: Option<String>,
    /// When.
    pub created_at: i64,
    /// When it was last used.
    pub used_at: Option<i64>,
}

/// A version with what it needs to be opened.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its id.
    pub id: i64,
    /// Its project.
    pub project_id: i64,
    /// Its plan.
    pub plan_id: Option<i64>,
    /// Its name.
    pub name: String,
    /// Its number.
    pub n: i64,
    /// Itself.
    #[sqlx(flatten)]
    pub sealed: Sealed,
}

const VERSION: &str = "SELECT id, project_id, plan_id, name, n, key_id, wrapped_key, nonce, ciphertext FROM secrets";

/// The newest version of each secret of a project, and of its plans, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(store: &Store, project: ProjectId) -> Result<Vec<Row>> {
    let sql = "SELECT s.id, s.project_id, s.plan_id, s.name, s.n, s.key_id, u.name AS created_by, s.created_at, s.used_at \
               FROM secrets s LEFT JOIN users u ON u.id = s.created_by WHERE s.project_id = $1 AND NOT EXISTS (\
               SELECT 1 FROM secrets o WHERE o.project_id = s.project_id AND o.name = s.name AND o.n > s.n \
               AND COALESCE(o.plan_id, 0) = COALESCE(s.plan_id, 0)) ORDER BY s.name, s.id";
    Ok(on!(store.db(), p => sqlx::query_as(sql).bind(project.0).fetch_all(p).await?))
}

/// The versions of a secret, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn versions(store: &Store, place: &Place) -> Result<Vec<Version>> {
    let sql = format!("{VERSION} WHERE project_id = $1 AND COALESCE(plan_id, 0) = $2 AND name = $3 ORDER BY n DESC");
    let plan = place.plan.map_or(0, |p| p.0);
    Ok(on!(store.db(), p => {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(place.project.0).bind(plan).bind(place.name.as_str()).fetch_all(p).await?
    }))
}

/// Versions that are not under this master key, some at a time, by id.
///
/// # Errors
/// When the database fails.
pub async fn under_other_keys(store: &Store, key_id: &str, most: i64) -> Result<Vec<Version>> {
    let sql = format!("{VERSION} WHERE key_id <> $1 ORDER BY id LIMIT $2");
    Ok(on!(store.db(), p => {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(key_id).bind(most).fetch_all(p).await?
    }))
}

/// The master keys that secrets are under.
///
/// # Errors
/// When the database fails.
pub async fn keys(store: &Store) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT key_id FROM secrets ORDER BY key_id";
    let rows: Vec<(String,)> = on!(store.db(), p => sqlx::query_as(sql).fetch_all(p).await?);
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Writes version `n` and keeps it and the `kept` before it; `false` when that number is taken, so that somebody else has
/// just set it.
///
/// # Errors
/// When the database fails.
pub async fn put(
    tx: &mut Tx,
    place: &Place,
    n: i64,
    sealed: &Sealed,
    kept: i64,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<bool> {
    let (project, plan) = (place.project.0, place.plan.map(|p| p.0));
    let made: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "INSERT INTO secrets (project_id, plan_id, name, n, key_id, wrapped_key, nonce, ciphertext, created_by, created_at) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE NOT EXISTS (SELECT 1 FROM secrets WHERE project_id = $1 \
             AND COALESCE(plan_id, 0) = $11 AND name = $3 AND n >= $4) RETURNING id",
        )
        .bind(project).bind(plan).bind(place.name.as_str()).bind(n).bind(sealed.key_id.as_str())
        .bind(sealed.wrapped_key.as_str()).bind(sealed.nonce.as_str()).bind(sealed.ciphertext.as_str())
        .bind(by.map(|u| u.0)).bind(now.0).bind(plan.unwrap_or(0)).fetch_optional(c).await?
    });
    if made.is_none() {
        return Ok(false);
    }
    on_tx!(tx, c => {
        sqlx::query("DELETE FROM secrets WHERE project_id = $1 AND COALESCE(plan_id, 0) = $2 AND name = $3 AND n < $4")
            .bind(project).bind(plan.unwrap_or(0)).bind(place.name.as_str()).bind(n - kept).execute(c).await?;
    });
    Ok(true)
}

/// Puts a version under another master key; `false` when it was gone, or was not under `from` any more.
///
/// # Errors
/// When the database fails.
pub async fn rewrap(tx: &mut Tx, id: i64, from: &str, sealed: &Sealed) -> Result<bool> {
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as("UPDATE secrets SET key_id = $3, wrapped_key = $4 WHERE id = $1 AND key_id = $2 RETURNING id")
            .bind(id).bind(from).bind(sealed.key_id.as_str()).bind(sealed.wrapped_key.as_str()).fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// Notes that a version was used.
///
/// # Errors
/// When the database fails.
pub async fn touch(tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query("UPDATE secrets SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)")
            .bind(id).bind(now.0).execute(c).await?;
    });
    Ok(())
}

/// Removes a secret with all its versions; `false` when there was none.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, place: &Place) -> Result<bool> {
    let plan = place.plan.map_or(0, |p| p.0);
    let rows: Vec<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as("DELETE FROM secrets WHERE project_id = $1 AND COALESCE(plan_id, 0) = $2 AND name = $3 RETURNING id")
            .bind(place.project.0).bind(plan).bind(place.name.as_str()).fetch_all(c).await?
    });
    Ok(!rows.is_empty())
}
