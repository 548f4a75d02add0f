//! Secrets as they are sealed: of a project, or of one plan.
//!
//! **Invariant:** a name is one secret's in its project or plan; what is read here is of use to nobody without the master key.

use super::{Result, Store, Tx, on, on_tx};
use domain::{PlanId, ProjectId, SecretId, Timestamp, UserId};
use sqlx::Connection;
use std::path::Path;

/// The setting that names the key to seal with. What is sealed with another one is not stored: it may be just going away.
pub const SEALING: &str = "secrets.sealing_key";

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
    /// Its id.
    pub id: i64,
    /// Plan, when it is one plan's alone.
    pub plan_id: Option<i64>,
    /// That plan's name.
    pub plan: Option<String>,
    /// Name.
    pub name: String,
    /// How often it was set.
    pub n: i64,
    /// Who set it last; `None` for the command line.
    pub set_by: Option<String>,
    /// When.
    pub set_at: i64,
    /// When it was last used.
    pub used_at: Option<i64>,
}

/// A secret with what it needs to be opened.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Locked {
    /// Its id.
    pub id: i64,
    /// Its project.
    pub project_id: i64,
    /// Its plan.
    pub plan_id: Option<i64>,
    /// That plan's name.
    pub plan: Option<String>,
    /// Its name.
    pub name: String,
    /// How often it was set.
    pub n: i64,
    /// Itself.
    #[sqlx(flatten)]
    pub sealed: Sealed,
}

const ROW: &str = "SELECT s.id, s.plan_id, p.name AS plan, s.name, s.n, u.name AS set_by, s.set_at, s.used_at FROM secrets s \
    LEFT JOIN plans p ON p.id = s.plan_id LEFT JOIN users u ON u.id = s.set_by WHERE s.project_id = $1";
const LOCKED: &str = "SELECT s.id, s.project_id, s.plan_id, p.name AS plan, s.name, s.n, s.key_id, s.wrapped_key, s.nonce, s.ciphertext \
    FROM secrets s LEFT JOIN plans p ON p.id = s.plan_id";

/// All secrets of a project and of its plans, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(store: &Store, project: ProjectId) -> Result<Vec<Row>> {
    let sql = format!("{ROW} ORDER BY s.name, s.id");
    Ok(on!(store.db(), p => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project.0).fetch_all(p).await?))
}

/// One of them.
///
/// # Errors
/// When the database fails.
pub async fn one(store: &Store, project: ProjectId, id: SecretId) -> Result<Option<Row>> {
    let sql = format!("{ROW} AND s.id = $2");
    Ok(on!(store.db(), p => {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_optional(p).await?
    }))
}

/// One, to be opened.
///
/// # Errors
/// When the database fails.
pub async fn locked(store: &Store, id: SecretId) -> Result<Option<Locked>> {
    let sql = format!("{LOCKED} WHERE s.id = $1");
    Ok(on!(store.db(), p => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.0).fetch_optional(p).await?))
}

/// Those behind this one that are not under this master key, some at a time. No key is called "": none is under that.
///
/// # Errors
/// When the database fails.
pub async fn under_other_keys(store: &Store, key_id: &str, after: i64, most: i64) -> Result<Vec<Locked>> {
    let sql = format!("{LOCKED} WHERE s.key_id <> $1 AND s.id > $2 ORDER BY s.id LIMIT $3 + 0");
    Ok(on!(store.db(), p => {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(key_id).bind(after).bind(most).fetch_all(p).await?
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

/// The master keys that secrets in a database file are under, and how many under each; the file is only read, and may be of
/// a version that had no secrets yet.
///
/// # Errors
/// When it cannot be read.
pub async fn keys_in(file: &Path) -> sqlx::Result<Vec<(String, i64)>> {
    let mut c = super::backup::open(file, true).await?;
    let there: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM sqlite_master WHERE name = 'secrets'")
        .fetch_optional(&mut c)
        .await?;
    let keys = match there {
        Some(_) => {
            sqlx::query_as("SELECT key_id, COUNT(*) FROM secrets GROUP BY key_id ORDER BY key_id")
                .fetch_all(&mut c)
                .await?
        }
        None => Vec::new(),
    };
    c.close().await?;
    Ok(keys)
}

/// Refuses what was sealed with a key that has gone out of use since, so that a change of the key misses nothing.
async fn under_present_key(tx: &mut Tx, sealed: &Sealed) -> Result<()> {
    let key: Option<(String,)> = on_tx!(tx, c => {
        sqlx::query_as("SELECT value FROM settings WHERE key = $1").bind(SEALING).fetch_optional(c).await?
    });
    match key {
        Some((key,)) if key != sealed.key_id => Err(domain::Error::Unavailable(
            "The master key was changed in this instant, and the secret was not stored. Send it again.".into(),
        )
        .into()),
        _ => Ok(()),
    }
}

/// Makes one, sealed as number 1; `None` when the name is in use there.
///
/// # Errors
/// When the database fails; `Unavailable` when it is sealed with another key than [`SEALING`] says.
pub async fn insert(
    tx: &mut Tx,
    place: &Place,
    sealed: &Sealed,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<Option<SecretId>> {
    under_present_key(tx, sealed).await?;
    let made: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "INSERT INTO secrets (project_id, plan_id, name, n, key_id, wrapped_key, nonce, ciphertext, set_by, set_at) \
             VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(place.project.0).bind(place.plan.map(|p| p.0)).bind(place.name.as_str()).bind(sealed.key_id.as_str())
        .bind(sealed.wrapped_key.as_str()).bind(sealed.nonce.as_str()).bind(sealed.ciphertext.as_str())
        .bind(by.map(|u| u.0)).bind(now.0).fetch_optional(c).await?
    });
    Ok(made.map(|(id,)| SecretId(id)))
}

/// Sets one anew, sealed as number `n + 1`; `false` when it is not at `n` any more.
///
/// # Errors
/// As for [`insert`].
pub async fn replace(
    tx: &mut Tx,
    id: SecretId,
    n: i64,
    sealed: &Sealed,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<bool> {
    under_present_key(tx, sealed).await?;
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE secrets SET n = n + 1, key_id = $3, wrapped_key = $4, nonce = $5, ciphertext = $6, set_by = $7, set_at = $8 \
             WHERE id = $1 AND n = $2 RETURNING id",
        )
        .bind(id.0).bind(n).bind(sealed.key_id.as_str()).bind(sealed.wrapped_key.as_str()).bind(sealed.nonce.as_str())
        .bind(sealed.ciphertext.as_str()).bind(by.map(|u| u.0)).bind(now.0).fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// Puts one under another master key; `false` when it was gone, or set anew.
///
/// # Errors
/// When the database fails.
pub async fn rewrap(tx: &mut Tx, from: &Locked, sealed: &Sealed) -> Result<bool> {
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE secrets SET key_id = $4, wrapped_key = $5 WHERE id = $1 AND n = $2 AND key_id = $3 RETURNING id",
        )
        .bind(from.id).bind(from.n).bind(from.sealed.key_id.as_str()).bind(sealed.key_id.as_str())
        .bind(sealed.wrapped_key.as_str()).fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// Notes that one was used.
///
/// # Errors
/// When the database fails.
pub async fn touch(tx: &mut Tx, id: SecretId, now: Timestamp) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query("UPDATE secrets SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)")
            .bind(id.0).bind(now.0).execute(c).await?;
    });
    Ok(())
}

/// What uses one: what it is (`repository`, `hook`, `rotating`), its id, its name.
///
/// # Errors
/// When the database fails.
pub async fn users(store: &Store, id: SecretId) -> Result<Vec<(String, i64, String)>> {
    let sql = "SELECT 'repository' AS kind, id, name FROM repositories WHERE secret_id = $1 \
         UNION ALL SELECT 'hook', id, name FROM hooks WHERE secret_id = $1 \
         UNION ALL SELECT 'rotating', id, name FROM hooks WHERE old_secret_id = $1 ORDER BY 1, 3";
    Ok(on!(store.db(), p => sqlx::query_as(sql).bind(id.0).fetch_all(p).await?))
}

/// What uses one, in words: `the hook ledger-push`.
///
/// # Errors
/// When the database fails.
pub async fn used_by(tx: &mut Tx, id: SecretId) -> Result<Vec<String>> {
    let sql = "SELECT 'the hook ' || name FROM hooks WHERE secret_id = $1 OR old_secret_id = $1 \
         UNION ALL SELECT 'the repository ' || name FROM repositories WHERE secret_id = $1";
    let rows: Vec<(String,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(id.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(what,)| what).collect())
}

/// Takes one away from whatever uses it; that has no secret then.
///
/// # Errors
/// When the database fails.
pub async fn release(tx: &mut Tx, id: SecretId) -> Result<()> {
    for sql in [
        "UPDATE hooks SET secret_id = NULL WHERE secret_id = $1",
        "UPDATE hooks SET old_secret_id = NULL, rotating_since = NULL WHERE old_secret_id = $1",
        "UPDATE repositories SET secret_id = NULL WHERE secret_id = $1",
    ] {
        on_tx!(tx, c => {
            sqlx::query(sql).bind(id.0).execute(c).await?;
        });
    }
    Ok(())
}

/// Removes one; its name, or `None` when there was none.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, project: ProjectId, id: SecretId) -> Result<Option<String>> {
    let row: Option<(String,)> = on_tx!(tx, c => {
        sqlx::query_as("DELETE FROM secrets WHERE project_id = $1 AND id = $2 RETURNING name")
            .bind(project.0).bind(id.0).fetch_optional(c).await?
    });
    Ok(row.map(|(name,)| name))
}
