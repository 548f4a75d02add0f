//! Tokens that register agents, by the hash of their secret, and the agents they registered.
//!
//! **Invariant:** a token registers no more agents than it has uses, and none after its end; a credential is one agent's.

use super::{Error, NewEvent, Result, Store, Tx, on, on_tx};
use domain::agent::{AgentName, AgentTokenView};
use domain::label::Labels;
use domain::{AgentId, AgentTokenId, Timestamp, UserId};

/// A token to be.
#[derive(Debug, Clone)]
pub struct NewAgentTokenRow {
    /// Hash of its secret.
    pub hash: String,
    /// Agents it may register.
    pub uses: u32,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Labels set on each agent.
    pub labels: Labels,
    /// Who makes it; `None` for the command line.
    pub created_by: Option<UserId>,
    /// When it is made.
    pub now: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    uses: i64,
    uses_left: i64,
    labels: String,
    ends_at: i64,
    created_at: i64,
    created_by: Option<String>,
}

/// What a token allows at this moment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct TokenState {
    /// Its id.
    pub id: i64,
    /// Agents it may still register.
    pub uses_left: i64,
    /// Labels set on each, as JSON.
    pub labels: String,
    /// When it ends.
    pub ends_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

const TOKENS: &str = "SELECT t.id, t.uses, t.uses_left, t.labels, t.ends_at, t.created_at, u.name AS created_by \
    FROM agent_tokens t LEFT JOIN users u ON u.id = t.created_by WHERE t.revoked_at IS NULL";

impl Row {
    fn view(self, agents: Vec<AgentName>) -> Result<AgentTokenView> {
        Ok(AgentTokenView {
            id: AgentTokenId(self.id),
            uses: self.uses,
            uses_left: self.uses_left,
            labels: serde_json::from_str(&self.labels).map_err(|e| Error::corrupt("agent_tokens", e))?,
            expires_at: Timestamp(self.ends_at),
            created_at: Timestamp(self.created_at),
            created_by: self.created_by.unwrap_or_else(|| "command line".into()),
            agents,
        })
    }
}

/// Tokens that may still register agents, newest first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn list(store: &Store, now: Timestamp) -> Result<Vec<AgentTokenView>> {
    let sql = format!("{TOKENS} AND t.uses_left > 0 AND t.ends_at > $1 ORDER BY t.id DESC");
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(now.0).fetch_all(p).await?);
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        let agents = registered(store, row.id).await?;
        out.push(row.view(agents)?);
    }
    Ok(out)
}

/// One token that is not revoked.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn one(store: &Store, id: AgentTokenId) -> Result<Option<AgentTokenView>> {
    let sql = format!("{TOKENS} AND t.id = $1");
    let row: Option<Row> =
        on!(store.db(), p => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.0).fetch_optional(p).await?);
    let Some(row) = row else { return Ok(None) };
    let agents = registered(store, row.id).await?;
    row.view(agents).map(Some)
}

async fn registered(store: &Store, token: i64) -> Result<Vec<AgentName>> {
    let rows: Vec<(i64, String)> = on!(store.db(), p => sqlx::query_as(
        "SELECT id, name FROM agents WHERE token_id = $1 AND removed_at IS NULL ORDER BY id").bind(token).fetch_all(p).await?);
    let name = |(id, name)| AgentName { id: AgentId(id), name };
    Ok(rows.into_iter().map(name).collect())
}

/// Makes a token; answers its id.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &mut Tx, t: &NewAgentTokenRow) -> Result<AgentTokenId> {
    let labels = serde_json::to_string(&t.labels).map_err(|e| Error::corrupt("agent_tokens", e))?;
    let id: i64 = on_tx!(tx, c => sqlx::query_scalar(
        "INSERT INTO agent_tokens (hash, labels, uses, uses_left, ends_at, created_by, created_at) \
         VALUES ($1,$2,$3,$4,$5,$6,$7) RETURNING id")
        .bind(t.hash.as_str()).bind(labels).bind(i64::from(t.uses)).bind(i64::from(t.uses)).bind(t.ends_at.0)
        .bind(t.created_by.map(|u| u.0)).bind(t.now.0).fetch_one(c).await?);
    Ok(AgentTokenId(id))
}

/// Revokes a token; `false` when there is none.
///
/// # Errors
/// When the database fails.
pub async fn revoke(tx: &mut Tx, id: AgentTokenId, now: Timestamp) -> Result<bool> {
    let done = on_tx!(tx, c => sqlx::query("UPDATE agent_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.0).bind(now.0).execute(c).await?.rows_affected());
    Ok(done > 0)
}

/// A token by the hash of its secret.
///
/// # Errors
/// When the database fails.
pub async fn by_hash(tx: &mut Tx, hash: &str) -> Result<Option<TokenState>> {
    Ok(
        on_tx!(tx, c => sqlx::query_as("SELECT id, uses_left, labels, ends_at, revoked_at FROM agent_tokens WHERE hash = $1")
        .bind(hash).fetch_optional(c).await?),
    )
}

/// The agent of a credential, and whether it was removed.
///
/// # Errors
/// When the database fails.
pub async fn by_credential(tx: &mut Tx, hash: &str) -> Result<Option<(AgentId, String, bool)>> {
    let row: Option<(i64, String, Option<i64>)> = on_tx!(tx, c => sqlx::query_as(
        "SELECT id, name, removed_at FROM agents WHERE credential_hash = $1").bind(hash).fetch_optional(c).await?);
    Ok(row.map(|(id, name, removed)| (AgentId(id), name, removed.is_some())))
}

/// Whether an agent has this name.
///
/// # Errors
/// When the database fails.
pub async fn name_taken(tx: &mut Tx, name: &str) -> Result<bool> {
    super::agents::rename_taken(tx, AgentId(0), name).await
}

/// Makes an agent by a token, which has one use less then.
///
/// # Errors
/// When the database fails.
pub async fn register(
    tx: &mut Tx,
    token: &TokenState,
    name: &str,
    credential_hash: &str,
    from: &str,
    now: Timestamp,
) -> Result<AgentId> {
    tx.forget_fleet();
    on_tx!(tx, c => { sqlx::query("UPDATE agent_tokens SET uses_left = uses_left - 1 WHERE id = $1 AND uses_left > 0")
        .bind(token.id).execute(c).await?; });
    let id: i64 = on_tx!(tx, c => sqlx::query_scalar(
        "INSERT INTO agents (project_id, name, credential_hash, labels_set, token_id, created_at) VALUES (NULL,$1,$2,$3,$4,$5) \
         RETURNING id")
        .bind(name).bind(credential_hash).bind(token.labels.as_str()).bind(token.id).bind(now.0).fetch_one(c).await?);
    tx.emit(NewEvent {
        at: now,
        kind: "agent.registered",
        subject: "agent",
        subject_id: id,
        task_id: None,
        actor: None,
        body: serde_json::json!({ "agent_id": id, "from": from }),
    });
    Ok(AgentId(id))
}
