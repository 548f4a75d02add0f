//! Browser sessions, by the hash of their cookie.
//!
//! **Invariant:** a session lives while it is used, at most to `ends_at`, and only as long as its user is enabled and
//! their rights are those it began with.

use super::users::{GRANTS_OF_U, grants};
use super::{Result, Store, Tx, on, on_tx};
use domain::auth::{Via, Viewer};
use domain::{Timestamp, UserId};

/// A session to be.
#[derive(Debug, Clone)]
pub struct NewSessionRow {
    /// Hash of the cookie's value.
    pub id_hash: String,
    /// Whose.
    pub user: UserId,
    /// The user's epoch it is bound to.
    pub authz_epoch: i64,
    /// When it begins.
    pub now: Timestamp,
    /// When it ends unless it is used.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// Where it began.
    pub ip: String,
    /// As the browser named itself.
    pub user_agent: String,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    user_id: i64,
    name: String,
    authz_epoch: i64,
    seen_at: i64,
    project_id: Option<i64>,
    role: Option<String>,
}

impl Store {
    /// Who a session is and when it was last seen; `None` when it is over or unknown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, id_hash: &str, now: Timestamp) -> Result<Option<(Viewer, Timestamp)>> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT u.id AS user_id, u.name, u.authz_epoch, s.seen_at, g.project_id, g.role \
             FROM sessions s JOIN users u ON u.id = s.user_id {GRANTS_OF_U} \
             WHERE s.id_hash = $1 AND s.idle_until > $2 AND s.ends_at > $2 \
               AND u.disabled_at IS NULL AND u.authz_epoch = s.authz_epoch"
        ));
        let rows: Vec<SessionRow> =
            on!(&self.db, p => sqlx::query_as(sql).bind(id_hash).bind(now.0).fetch_all(p).await?);
        let Some(first) = rows.first() else { return Ok(None) };
        let mut viewer = Viewer {
            user: UserId(first.user_id),
            name: first.name.clone(),
            grants: Vec::new(),
            scopes: None,
            via: Via::Session,
            authz_epoch: first.authz_epoch,
        };
        let seen = Timestamp(first.seen_at);
        viewer.grants = grants(rows.into_iter().map(|r| (r.project_id, r.role)))?;
        Ok(Some((viewer, seen)))
    }
}

impl Tx {
    /// Begins a session, and clears away those that are over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_session(&mut self, s: &NewSessionRow) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query("DELETE FROM sessions WHERE ends_at <= $1 OR idle_until <= $1").bind(s.now.0).execute(c).await?;
        });
        on_tx!(self, c => {
            sqlx::query(
                "INSERT INTO sessions (id_hash, user_id, authz_epoch, created_at, seen_at, idle_until, ends_at, ip, user_agent) \
                 VALUES ($1,$2,$3,$4,$4,$5,$6,$7,$8)",
            )
            .bind(s.id_hash.as_str()).bind(s.user.0).bind(s.authz_epoch).bind(s.now.0)
            .bind(s.idle_until.0).bind(s.ends_at.0).bind(s.ip.as_str()).bind(s.user_agent.as_str())
            .execute(c).await?;
        });
        Ok(())
    }

    /// Notes that a session is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_session(&mut self, id_hash: &str, now: Timestamp, idle_until: Timestamp) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query("UPDATE sessions SET seen_at = $2, idle_until = $3 WHERE id_hash = $1 AND seen_at < $2")
                .bind(id_hash).bind(now.0).bind(idle_until.0).execute(c).await?;
        });
        Ok(())
    }

    /// Ends a session; answers whose it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&mut self, id_hash: &str) -> Result<Option<UserId>> {
        let row: Option<(i64,)> = on_tx!(self, c => {
            sqlx::query_as("DELETE FROM sessions WHERE id_hash = $1 RETURNING user_id").bind(id_hash).fetch_optional(c).await?
        });
        Ok(row.map(|r| UserId(r.0)))
    }
}
