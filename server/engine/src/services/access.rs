//! Sign-in, users and tokens: `domain::ports::Access`.
//!
//! **Invariant:** secrets are stored hashed and leave only in the answer that makes them; what throttles and what is
//! audited is written before the caller learns anything.

mod account;
mod cache;
mod sign_in;

use crate::auth::password::Passwords;
use crate::auth::setup::SetupCode;
use crate::clock::SharedClock;
use crate::store::Store;
use async_trait::async_trait;
use cache::Cache;
use domain::auth::{Role, TokenScope, Viewer};
use domain::ports::{Access, Client, MeView, NewSession, NewToken, Replay, ReplayKey, TokenView, UserView};
use domain::{Result, Timestamp, TokenId, UserId};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The service behind `Access`. Cheap to clone.
#[derive(Clone)]
pub struct AccessService {
    store: Store,
    clock: SharedClock,
    passwords: Passwords,
    setup: SetupCode,
    /// Once an admin exists there is one for ever, so that question is asked of the database only before.
    has_admin: Arc<AtomicBool>,
    known: Arc<Cache>,
}

impl AccessService {
    /// The service over a store; `data` is the folder of the set-up code.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, data: &Path) -> Self {
        Self {
            store,
            clock,
            passwords: Passwords::default(),
            setup: SetupCode::of(data),
            has_admin: Arc::default(),
            known: Arc::default(),
        }
    }

    /// The one-time set-up code (made when there is none), or `None` when there is an admin already.
    ///
    /// # Errors
    /// When the database or the file of the code fails.
    pub async fn setup_code(&self) -> anyhow::Result<Option<String>> {
        if !self.setup_open().await? {
            return Ok(None);
        }
        Ok(Some(self.setup.ensure(&mut rand::rng())?))
    }
}

#[async_trait]
impl Access for AccessService {
    async fn setup_open(&self) -> Result<bool> {
        self.is_setup_open().await
    }
    async fn set_up(&self, code: String, name: String, password: String, client: Client) -> Result<NewSession> {
        self.first_admin(code, name, password, client).await
    }
    async fn log_in(&self, name: String, password: String, client: Client) -> Result<NewSession> {
        self.begin_session(name, password, client).await
    }
    async fn log_out(&self, secret: String) -> Result<()> {
        self.end_session(&secret).await
    }
    async fn by_session(&self, secret: &str) -> Result<Option<Viewer>> {
        self.session_viewer(secret).await
    }
    async fn by_token(&self, token: &str) -> Result<Option<Viewer>> {
        self.token_viewer(token).await
    }
    async fn refresh(&self, viewer: &Viewer) -> Result<Option<Viewer>> {
        self.present(viewer).await
    }
    async fn me(&self, viewer: &Viewer) -> Result<MeView> {
        self.oneself(viewer).await
    }
    async fn users(&self, viewer: &Viewer) -> Result<Vec<UserView>> {
        self.all_users(viewer).await
    }
    async fn add_user(&self, viewer: &Viewer, name: String, password: String, role: Role) -> Result<UserView> {
        self.make_user(viewer, name, password, role).await
    }
    async fn tokens(&self, viewer: &Viewer) -> Result<Vec<TokenView>> {
        self.own_tokens(viewer).await
    }
    async fn create_token(
        &self,
        viewer: &Viewer,
        user: Option<String>,
        name: String,
        scopes: Vec<TokenScope>,
        ends_at: Option<Timestamp>,
    ) -> Result<NewToken> {
        self.make_token(viewer, user, name, scopes, ends_at).await
    }
    async fn revoke_token(&self, viewer: &Viewer, id: TokenId) -> Result<()> {
        self.end_token(viewer, id).await
    }
    async fn replay(&self, viewer: &Viewer, key: &ReplayKey) -> Result<Replay> {
        let (user, key, now) = (viewer.user, key.clone(), self.clock.now());
        Ok(self
            .write(move |tx| {
                let key = key.clone();
                Box::pin(async move { tx.begin_replay(user, &key, now).await })
            })
            .await?)
    }
    async fn replayed(&self, viewer: &Viewer, key: &ReplayKey, answer: Option<(u16, Option<String>)>) -> Result<()> {
        let (user, key) = (viewer.user, key.key.clone());
        Ok(self
            .write(move |tx| {
                let (key, answer) = (key.clone(), answer.clone());
                Box::pin(async move { tx.end_replay(user, &key, answer).await })
            })
            .await?)
    }
}

/// The command line's own identity; it is no row of `users`.
#[must_use]
pub fn command_line() -> Viewer {
    Viewer {
        user: UserId(0),
        name: "command line".into(),
        grants: vec![domain::auth::Grant {
            project: None,
            role: Role::Admin,
        }],
        scopes: None,
        via: domain::auth::Via::Cli,
        authz_epoch: 0,
    }
}
