//! API tokens, by the hash of their secret.
//!
//! **Invariant:** a token is judged by its user's present grants; a revoked or ended one is nobody.

use super::users::{GRANTS_OF_U, grants};
use super::{Error, Result, Store, Tx, on, on_tx};
use domain::auth::{TokenScope, Via, Viewer};
use domain::ports::TokenView;
use domain::{Timestamp, TokenId, UserId};

/// A token to be.
#[derive(Debug, Clone)]
pub struct NewTokenRow {
    /// Whose.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// Hash of its secret.
    pub hash: String,
    /// Its scopes; empty means all that the role allows.
    pub scopes: Vec<TokenScope>,
    /// When it is made.
    pub now: Timestamp,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct BearerRow {
    token_id: i64,
    user_id: i64,
    name: String,
    authz_epoch: i64,
    scopes: String,
    used_at: Option<i64>,
    project_id: Option<i64>,
    role: Option<String>,
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: i64,
    name: String,
    scopes: String,
    created_at: i64,
    ends_at: Option<i64>,
    used_at: Option<i64>,
}

impl TokenRow {
    fn view(self) -> Result<TokenView> {
        Ok(TokenView {
            id: TokenId(self.id),
            name: self.name,
            scopes: scopes(&self.scopes)?,
            ends_at: self.ends_at.map(Timestamp),
            used_at: self.used_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
        })
    }
}

fn scopes(words: &str) -> Result<Vec<TokenScope>> {
    words
        .split_whitespace()
        .map(|w| w.parse().map_err(|e: String| Error::corrupt("tokens", e)))
        .collect()
}

fn words(scopes: &[TokenScope]) -> String {
    scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" ")
}

/// A token that is good at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Its id.
    pub id: TokenId,
    /// Who it speaks for.
    pub viewer: Viewer,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

impl Store {
    /// Who a token is; `None` when it is over or unknown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bearer(&self, hash: &str, now: Timestamp) -> Result<Option<Bearer>> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT t.id AS token_id, u.id AS user_id, u.name, u.authz_epoch, t.scopes, t.used_at, g.project_id, g.role \
             FROM tokens t JOIN users u ON u.id = t.user_id {GRANTS_OF_U} \
             WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.ends_at IS NULL OR t.ends_at > $2) AND u.disabled_at IS NULL"
        ));
        let rows: Vec<BearerRow> = on!(&self.db, p => sqlx::query_as(sql).bind(hash).bind(now.0).fetch_all(p).await?);
        let Some(first) = rows.first() else { return Ok(None) };
        let scopes = Some(scopes(&first.scopes)?).filter(|s| !s.is_empty());
        let (id, used_at) = (TokenId(first.token_id), first.used_at.map(Timestamp));
        let mut viewer = Viewer {
            user: UserId(first.user_id),
            name: first.name.clone(),
            grants: Vec::new(),
            scopes,
            via: Via::Token,
            authz_epoch: first.authz_epoch,
        };
        viewer.grants = grants(rows.into_iter().map(|r| (r.project_id, r.role)))?;
        Ok(Some(Bearer { id, viewer, used_at }))
    }

    /// A user's tokens that are not revoked, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens_of(&self, user: UserId) -> Result<Vec<TokenView>> {
        let sql = "SELECT id, name, scopes, created_at, ends_at, used_at FROM tokens \
                   WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC";
        let rows: Vec<TokenRow> = on!(&self.db, p => sqlx::query_as(sql).bind(user.0).fetch_all(p).await?);
        rows.into_iter().map(TokenRow::view).collect()
    }
}

impl Tx {
    /// Makes a token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_token(&mut self, t: &NewTokenRow) -> Result<TokenView> {
        let row: TokenRow = on_tx!(self, c => {
            sqlx::query_as(
                "INSERT INTO tokens (user_id, name, hash, scopes, created_at, ends_at) VALUES ($1,$2,$3,$4,$5,$6) \
                 RETURNING id, name, scopes, created_at, ends_at, used_at",
            )
            .bind(t.user.0).bind(t.name.as_str()).bind(t.hash.as_str()).bind(words(&t.scopes)).bind(t.now.0)
            .bind(t.ends_at.map(|e| e.0)).fetch_one(c).await?
        });
        row.view()
    }

    /// Notes that a token is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_token(&mut self, id: TokenId, now: Timestamp) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query("UPDATE tokens SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)")
                .bind(id.0).bind(now.0).execute(c).await?;
        });
        Ok(())
    }

    /// Revokes a user's token; `false` when they have no such token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_token(&mut self, user: UserId, id: TokenId, now: Timestamp) -> Result<bool> {
        let row: Option<(i64,)> = on_tx!(self, c => {
            sqlx::query_as(
                "UPDATE tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING id",
            )
            .bind(id.0).bind(user.0).bind(now.0).fetch_optional(c).await?
        });
        Ok(row.is_some())
    }
}
