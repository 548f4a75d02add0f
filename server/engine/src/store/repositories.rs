//! Repositories: where they are, the row of the secret that opens them, and how they were.
//!
//! **Invariant:** how one was moves without its version.

use super::{Db, Error, NewEvent, Result, Store, Tx, on, on_tx};
use domain::health::Health;
use domain::repository::RepositoryView;
use domain::trigger::Provider;
use domain::{ProjectId, RepositoryId, SecretId, Timestamp};
use serde_json::json;
use sqlx::AssertSqlSafe;

/// What can be changed of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryChange {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Which forge it is at.
    pub provider: Provider,
    /// Where the forge's API begins.
    pub api: Option<String>,
    /// The secret that opens it.
    pub secret: Option<SecretId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    url: String,
    provider: String,
    api: Option<String>,
    secret_id: Option<i64>,
    health: String,
    health_said: Option<String>,
    health_since: Option<i64>,
    health_at: Option<i64>,
    created_at: i64,
    version: i64,
}

impl Row {
    fn view(self) -> Result<RepositoryView> {
        Ok(RepositoryView {
            id: RepositoryId(self.id),
            name: self.name,
            url: self.url,
            provider: self.provider.parse().map_err(|e| Error::corrupt("repositories", e))?,
            api: self.api,
            secret_id: self.secret_id.map(SecretId),
            health: self.health.parse().unwrap_or(Health::Unknown),
            said: self.health_said,
            since: self.health_since.map(Timestamp),
            asked_at: self.health_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            version: self.version,
        })
    }
}

const REPOSITORIES: &str = "SELECT id, name, url, provider, api, secret_id, health, health_said, health_since, health_at, created_at, version \
    FROM repositories WHERE project_id = $1";

/// All of a project, newest first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn list(store: &Store, project: ProjectId) -> Result<Vec<RepositoryView>> {
    let sql = format!("{REPOSITORIES} ORDER BY id DESC");
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).fetch_all(p).await?);
    rows.into_iter().map(Row::view).collect()
}

/// One of them.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn one(store: &Store, project: ProjectId, id: RepositoryId) -> Result<Option<RepositoryView>> {
    let sql = format!("{REPOSITORIES} AND id = $2");
    let row: Option<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_optional(p).await?);
    row.map(Row::view).transpose()
}

/// Makes one; `None` when the name is in use.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    new: &RepositoryChange,
    now: Timestamp,
) -> Result<Option<RepositoryId>> {
    let made: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "INSERT INTO repositories (project_id, name, url, provider, api, secret_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(project.0).bind(new.name.as_str()).bind(new.url.as_str()).bind(new.provider.as_str())
        .bind(new.api.as_deref()).bind(new.secret.map(|s| s.0)).bind(now.0).fetch_optional(c).await?
    });
    Ok(made.map(|(id,)| RepositoryId(id)))
}

/// Changes one that is at this version; `false` when it is not. How it was is forgotten.
///
/// # Errors
/// When the database fails.
pub async fn update(tx: &mut Tx, id: RepositoryId, version: i64, to: &RepositoryChange) -> Result<bool> {
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE repositories SET name = $3, url = $4, provider = $5, api = $6, secret_id = $7, health = 'unknown', \
             health_said = NULL, health_since = NULL, health_at = NULL, version = version + 1 WHERE id = $1 AND version = $2 RETURNING id",
        )
        .bind(id.0).bind(version).bind(to.name.as_str()).bind(to.url.as_str()).bind(to.provider.as_str())
        .bind(to.api.as_deref()).bind(to.secret.map(|s| s.0)).fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// The repository that has a name.
///
/// # Errors
/// When the database fails.
pub async fn named(tx: &mut Tx, project: ProjectId, name: &str) -> Result<Option<RepositoryId>> {
    let sql = "SELECT id FROM repositories WHERE project_id = $1 AND name = $2";
    let row: Option<(i64,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(project.0).bind(name).fetch_optional(c).await?);
    Ok(row.map(|(id,)| RepositoryId(id)))
}

/// Notes that what opens one was used.
///
/// # Errors
/// When the database fails.
pub async fn used(tx: &mut Tx, id: RepositoryId, now: Timestamp) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query(
            "UPDATE secrets SET used_at = $2 WHERE id = (SELECT secret_id FROM repositories WHERE id = $1) \
             AND (used_at IS NULL OR used_at < $2)",
        )
        .bind(id.0).bind(now.0).execute(c).await?;
    });
    Ok(())
}

/// Notes how one was when it was asked; one that answered as it should was opened with its secret.
///
/// # Errors
/// When the database fails.
pub async fn asked(tx: &mut Tx, id: RepositoryId, health: Health, said: Option<&str>, now: Timestamp) -> Result<()> {
    let since: Option<(Option<i64>,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE repositories SET health = $2, health_said = $3, health_at = $4, \
             health_since = CASE WHEN health = $2 AND health_since IS NOT NULL THEN health_since ELSE $4 END \
             WHERE id = $1 RETURNING health_since",
        )
        .bind(id.0).bind(health.as_str()).bind(said).bind(now.0).fetch_optional(c).await?
    });
    if since.is_some_and(|(at,)| at == Some(now.0)) {
        let body = json!({ "health": health });
        tx.emit(NewEvent::about("repository", id.0, "repository.health", now, body));
    }
    if health == Health::Healthy {
        used(tx, id, now).await?;
    }
    Ok(())
}

/// A plan with the URL of its source.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Sourced {
    /// The plan.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The URL.
    pub git: String,
}

/// What of a trigger has to do with repositories.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Looking {
    /// The trigger.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The plan it starts.
    pub plan_id: i64,
    /// The repository it names.
    pub repository_id: Option<i64>,
    /// The hook it listens to.
    pub hook_id: Option<i64>,
    /// That hook's name.
    pub hook: Option<String>,
    /// The repository that is named there.
    pub hook_repository_id: Option<i64>,
    /// Its configuration, JSON.
    pub config: String,
}

/// The plans of a project that have a source, by name.
///
/// # Errors
/// When the database fails.
pub async fn sources(store: &Store, project: ProjectId) -> Result<Vec<Sourced>> {
    let git = match store.db() {
        Db::Sqlite(_) => "json_extract(d.resolved, '$.source.git')",
        Db::Postgres(_) => "d.resolved::json -> 'source' ->> 'git'",
    };
    let sql = format!(
        "SELECT id, name, git FROM (SELECT p.id, p.name, {git} AS git FROM plans p \
         JOIN plan_revisions r ON r.plan_id = p.id AND r.number = p.revision JOIN documents d ON d.digest = r.digest \
         WHERE p.project_id = $1 AND p.archived_at IS NULL) s WHERE git IS NOT NULL ORDER BY name"
    );
    Ok(on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).fetch_all(p).await?))
}

/// The triggers of a project, by name.
///
/// # Errors
/// When the database fails.
pub async fn looking(store: &Store, project: ProjectId) -> Result<Vec<Looking>> {
    let sql = "SELECT t.id, t.name, t.plan_id, t.repository_id, t.hook_id, h.name AS hook, h.repository_id AS hook_repository_id, \
         t.config FROM triggers t LEFT JOIN hooks h ON h.id = t.hook_id WHERE t.project_id = $1 ORDER BY t.name";
    Ok(on!(store.db(), p => sqlx::query_as(sql).bind(project.0).fetch_all(p).await?))
}

/// Whether a secret is used by this repository and by nothing else.
///
/// # Errors
/// When the database fails.
pub async fn alone_has(tx: &mut Tx, id: RepositoryId, secret: SecretId) -> Result<bool> {
    let sql = "SELECT (SELECT COUNT(*) FROM repositories WHERE secret_id = $1 AND id = $2), \
         (SELECT COUNT(*) FROM repositories WHERE secret_id = $1 AND id <> $2) \
         + (SELECT COUNT(*) FROM hooks WHERE secret_id = $1 OR old_secret_id = $1)";
    let (own, others): (i64, i64) = on_tx!(tx, c => sqlx::query_as(sql).bind(secret.0).bind(id.0).fetch_one(c).await?);
    Ok(own > 0 && others == 0)
}

/// What uses one, by name.
///
/// # Errors
/// When the database fails.
pub async fn used_by(tx: &mut Tx, id: RepositoryId) -> Result<Vec<String>> {
    let sql = "SELECT 'the trigger ' || name FROM triggers WHERE repository_id = $1 \
         UNION ALL SELECT 'the hook ' || name FROM hooks WHERE repository_id = $1";
    let rows: Vec<(String,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(id.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(what,)| what).collect())
}

/// Removes one; its name, or `None` when there was none.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, project: ProjectId, id: RepositoryId) -> Result<Option<String>> {
    let row: Option<(String,)> = on_tx!(tx, c => {
        sqlx::query_as("DELETE FROM repositories WHERE project_id = $1 AND id = $2 RETURNING name")
            .bind(project.0).bind(id.0).fetch_optional(c).await?
    });
    Ok(row.map(|(name,)| name))
}
