//! The port of sign-in, users and tokens.
//!
//! **Invariant:** secrets (cookies, tokens, codes) leave only in the answer that makes them, and are stored hashed.

use crate::auth::{Role, TokenScope, Viewer};
use crate::{Result, Timestamp, TokenId, UserId};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Where a call comes from, for throttling and the session list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Address, without port.
    pub ip: String,
    /// As the browser names itself.
    pub user_agent: String,
}

/// A session just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The cookie's value; stored only hashed.
    pub secret: String,
    /// Seconds it lives at most.
    pub max_age: i64,
    /// Who signed in.
    pub user: UserId,
}

/// A user as lists show them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserView {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their highest role.
    pub role: Option<Role>,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When they were made.
    pub created_at: Timestamp,
}

/// Oneself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeView {
    /// Who one is.
    pub user: UserView,
    /// The token's scopes, if one came with a scoped token.
    pub scopes: Option<Vec<TokenScope>>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// Its scopes; empty means all that the role allows.
    pub scopes: Vec<TokenScope>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A token just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// The secret, shown once.
    pub token: String,
    /// The rest.
    #[serde(flatten)]
    pub view: TokenView,
}

/// A creating request under the client's `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayKey {
    /// The client's key.
    pub key: String,
    /// Method and path.
    pub path: String,
    /// SHA-256 of the body, hex.
    pub body_hash: String,
}

/// What became of an earlier request under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// There was none: go on, and call `replayed` at the end.
    New,
    /// It has not ended, or the server stopped amid it.
    Open,
    /// It was another request.
    Other,
    /// It was answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The answer's JSON; `None` when it held a secret that is shown once.
        answer: Option<String>,
    },
}

/// Sign-in, users and tokens.
#[async_trait]
pub trait Access: Send + Sync {
    /// Whether `/setup` still waits for its first admin.
    async fn setup_open(&self) -> Result<bool>;
    /// Makes the first admin with the one-time code and signs them in.
    async fn set_up(&self, code: String, name: String, password: String, client: Client) -> Result<NewSession>;
    /// Signs in; throttled by account and by address, never telling which part was wrong.
    async fn log_in(&self, name: String, password: String, client: Client) -> Result<NewSession>;
    /// Ends a session.
    async fn log_out(&self, secret: String) -> Result<()>;
    /// Who a session cookie is; `None` when it is over or unknown.
    async fn by_session(&self, secret: &str) -> Result<Option<Viewer>>;
    /// Who a Bearer token is; `None` when it is over or unknown.
    async fn by_token(&self, token: &str) -> Result<Option<Viewer>>;
    /// The viewer's present rights, for open sockets; `None` when they have none any more.
    async fn refresh(&self, viewer: &Viewer) -> Result<Option<Viewer>>;
    /// Oneself.
    async fn me(&self, viewer: &Viewer) -> Result<MeView>;
    /// Every user, by name. Admins.
    async fn users(&self, viewer: &Viewer) -> Result<Vec<UserView>>;
    /// Makes a user. Admins.
    async fn add_user(&self, viewer: &Viewer, name: String, password: String, role: Role) -> Result<UserView>;
    /// One's own tokens.
    async fn tokens(&self, viewer: &Viewer) -> Result<Vec<TokenView>>;
    /// Makes a token for oneself (the command line: for anyone, by name).
    async fn create_token(
        &self,
        viewer: &Viewer,
        user: Option<String>,
        name: String,
        scopes: Vec<TokenScope>,
        ends_at: Option<Timestamp>,
    ) -> Result<NewToken>;
    /// Revokes one of one's own tokens.
    async fn revoke_token(&self, viewer: &Viewer, id: TokenId) -> Result<()>;
    /// Begins a creating request under a key of the viewer's, kept for 24 hours.
    async fn replay(&self, viewer: &Viewer, key: &ReplayKey) -> Result<Replay>;
    /// Ends it: keeps status and answer, or (`None`) frees the key because nothing was made.
    async fn replayed(&self, viewer: &Viewer, key: &ReplayKey, answer: Option<(u16, Option<String>)>) -> Result<()>;
}
