//! Hooks: addresses for deliveries, with the rows of the secrets they are judged by.
//!
//! **Invariant:** a hook's address is its own; of what it refused it keeps the last twenty, and nothing of their bodies.

mod deliveries;

pub use deliveries::{Delivery, NewDelivery, Taken, delivery, forget_old, newest, received, take};

use crate::store::{Error, Result, Store, Tx, on, on_tx};
use domain::trigger::{Generic, Provider, RefusalView};
use domain::{HookId, ProjectId, SecretId, Timestamp};
use sqlx::AssertSqlSafe;

/// Refusals that are kept of each.
const REFUSALS: i64 = 20;

/// A hook as it stands in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its id.
    pub id: HookId,
    /// Its project.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The end of its address.
    pub token: String,
    /// Who sends.
    pub provider: Provider,
    /// How a sender that is none of the forges signs.
    pub signing: Generic,
    /// Its secret.
    pub secret: Option<SecretId>,
    /// The one before it, while that is believed too.
    pub old_secret: Option<SecretId>,
    /// Since when.
    pub rotating_since: Option<Timestamp>,
    /// Deliveries that were taken.
    pub accepted: i64,
    /// Deliveries that were refused.
    pub refused: i64,
    /// When the newest was refused.
    pub refused_at: Option<Timestamp>,
    /// When the newest was taken.
    pub seen_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its version.
    pub version: i64,
}

/// What can be changed of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookChange {
    /// Its name.
    pub name: String,
    /// Who sends.
    pub provider: Provider,
    /// How a sender that is none of the forges signs.
    pub signing: Generic,
    /// Its secret.
    pub secret: Option<SecretId>,
    /// The one before it.
    pub old_secret: Option<SecretId>,
    /// Since when there are two.
    pub rotating_since: Option<Timestamp>,
}

/// A delivery that was refused, for the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// From which address.
    pub sender: String,
    /// Why.
    pub reason: String,
    /// The names of its headers.
    pub headers: Vec<String>,
    /// Bytes of its body.
    pub size: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    project_id: i64,
    name: String,
    token: String,
    provider: String,
    signing: String,
    secret_id: Option<i64>,
    old_secret_id: Option<i64>,
    rotating_since: Option<i64>,
    accepted: i64,
    refused: i64,
    refused_at: Option<i64>,
    seen_at: Option<i64>,
    created_at: i64,
    version: i64,
}

impl Row {
    fn hook(self) -> Result<Hook> {
        Ok(Hook {
            id: HookId(self.id),
            project: ProjectId(self.project_id),
            name: self.name,
            token: self.token,
            provider: self.provider.parse().map_err(|e| Error::corrupt("hooks", e))?,
            signing: serde_json::from_str(&self.signing).map_err(|e| Error::corrupt("hooks", e))?,
            secret: self.secret_id.map(SecretId),
            old_secret: self.old_secret_id.map(SecretId),
            rotating_since: self.rotating_since.map(Timestamp),
            accepted: self.accepted,
            refused: self.refused,
            refused_at: self.refused_at.map(Timestamp),
            seen_at: self.seen_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            version: self.version,
        })
    }
}

const HOOKS: &str = "SELECT id, project_id, name, token, provider, signing, secret_id, old_secret_id, rotating_since, accepted, \
    refused, refused_at, seen_at, created_at, version FROM hooks";

/// All hooks of a project, newest first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn list(store: &Store, project: ProjectId) -> Result<Vec<Hook>> {
    let sql = format!("{HOOKS} WHERE project_id = $1 ORDER BY id DESC");
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).fetch_all(p).await?);
    rows.into_iter().map(Row::hook).collect()
}

/// One of them.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn one(store: &Store, project: ProjectId, id: HookId) -> Result<Option<Hook>> {
    let sql = format!("{HOOKS} WHERE project_id = $1 AND id = $2");
    let row: Option<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_optional(p).await?);
    row.map(Row::hook).transpose()
}

/// The one that has this address.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn at(store: &Store, token: &str) -> Result<Option<Hook>> {
    let sql = format!("{HOOKS} WHERE token = $1");
    let row: Option<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(token).fetch_optional(p).await?);
    row.map(Row::hook).transpose()
}

/// What a hook refused last, newest first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn refusals(store: &Store, id: HookId) -> Result<Vec<RefusalView>> {
    let sql =
        "SELECT at, sender, reason, header_names, size FROM hook_refusals WHERE hook_id = $1 ORDER BY id DESC LIMIT 20";
    let rows: Vec<(i64, String, String, String, i64)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(id.0).fetch_all(p).await?);
    let view = |(at, from, reason, headers, size): (i64, String, String, String, i64)| {
        Ok(RefusalView {
            at: Timestamp(at),
            from,
            reason,
            headers: serde_json::from_str(&headers).map_err(|e| Error::corrupt("hook_refusals", e))?,
            size,
        })
    };
    rows.into_iter().map(view).collect()
}

/// Makes one; `None` when the name is in use. `own`: it goes with the trigger that it is made for.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    token: &str,
    hook: &HookChange,
    own: bool,
    now: Timestamp,
) -> Result<Option<HookId>> {
    let signing = serde_json::to_string(&hook.signing).map_err(|e| Error::corrupt("hooks", e))?;
    let made: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "INSERT INTO hooks (project_id, name, token, provider, signing, secret_id, created_at, own) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(project.0).bind(hook.name.as_str()).bind(token).bind(hook.provider.as_str()).bind(signing)
        .bind(hook.secret.map(|s| s.0)).bind(now.0).bind(own).fetch_optional(c).await?
    });
    Ok(made.map(|(id,)| HookId(id)))
}

/// Changes one that is at this version; `false` when it is not.
///
/// # Errors
/// `Conflict` when the name is in use.
pub async fn update(tx: &mut Tx, id: HookId, version: i64, hook: &HookChange) -> Result<bool> {
    let signing = serde_json::to_string(&hook.signing).map_err(|e| Error::corrupt("hooks", e))?;
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE hooks SET name = $3, provider = $4, signing = $5, secret_id = $6, old_secret_id = $7, rotating_since = $8, \
             version = version + 1 WHERE id = $1 AND version = $2 RETURNING id",
        )
        .bind(id.0).bind(version).bind(hook.name.as_str()).bind(hook.provider.as_str()).bind(signing)
        .bind(hook.secret.map(|s| s.0)).bind(hook.old_secret.map(|s| s.0)).bind(hook.rotating_since.map(|t| t.0))
        .fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// The name of a hook that has a name already, other than this one.
///
/// # Errors
/// When the database fails.
pub async fn named(tx: &mut Tx, project: ProjectId, name: &str) -> Result<Option<HookId>> {
    let sql = "SELECT id FROM hooks WHERE project_id = $1 AND name = $2";
    let row: Option<(i64,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(project.0).bind(name).fetch_optional(c).await?);
    Ok(row.map(|(id,)| HookId(id)))
}

/// Removes one with all it was sent; its secrets, or `None` when there was none.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, project: ProjectId, id: HookId) -> Result<Option<Vec<SecretId>>> {
    let row: Option<(Option<i64>, Option<i64>)> = on_tx!(tx, c => {
        sqlx::query_as("DELETE FROM hooks WHERE project_id = $1 AND id = $2 RETURNING secret_id, old_secret_id")
            .bind(project.0).bind(id.0).fetch_optional(c).await?
    });
    Ok(row.map(|(new, old)| [new, old].into_iter().flatten().map(SecretId).collect()))
}

/// Whether a hook goes with the trigger that it was made for.
///
/// # Errors
/// When the database fails.
pub async fn is_own(tx: &mut Tx, id: HookId) -> Result<bool> {
    let row: Option<(bool,)> =
        on_tx!(tx, c => sqlx::query_as("SELECT own FROM hooks WHERE id = $1").bind(id.0).fetch_optional(c).await?);
    Ok(row.is_some_and(|(own,)| own))
}

/// The triggers that listen to a hook, inside a write.
///
/// # Errors
/// When the database fails.
pub async fn listeners(tx: &mut Tx, id: HookId) -> Result<Vec<String>> {
    let sql = "SELECT name FROM triggers WHERE hook_id = $1 ORDER BY id";
    let rows: Vec<(String,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(id.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Notes a delivery that was refused.
///
/// # Errors
/// When the database fails.
pub async fn refuse(tx: &mut Tx, id: HookId, refusal: &Refusal, now: Timestamp) -> Result<()> {
    let headers = serde_json::to_string(&refusal.headers).map_err(|e| Error::corrupt("hook_refusals", e))?;
    on_tx!(tx, c => {
        sqlx::query("UPDATE hooks SET refused = refused + 1, refused_at = $2 WHERE id = $1")
            .bind(id.0).bind(now.0).execute(&mut *c).await?;
        sqlx::query(
            "INSERT INTO hook_refusals (hook_id, at, sender, reason, header_names, size) \
             SELECT id, $2, $3, $4, $5, $6 FROM hooks WHERE id = $1",
        )
        .bind(id.0).bind(now.0).bind(refusal.sender.as_str()).bind(refusal.reason.as_str()).bind(headers)
        .bind(refusal.size).execute(&mut *c).await?;
        sqlx::query(
            "DELETE FROM hook_refusals WHERE hook_id = $1 AND id <= \
             (SELECT id FROM hook_refusals WHERE hook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
        )
        .bind(id.0).bind(REFUSALS).execute(&mut *c).await?;
    });
    Ok(())
}
