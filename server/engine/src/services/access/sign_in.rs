//! Set-up, log-in, log-out, and who a cookie or token is.
//!
//! **Invariant:** a refusal never tells which part was wrong; a new session always has a new secret.

use super::AccessService;
use crate::auth::throttle::Keys;
use crate::auth::{password, secret, tries};
use crate::store::audit::Entry;
use crate::store::sessions::NewSessionRow;
use crate::store::{self, Tx};
use domain::auth::{Role, Via, Viewer};
use domain::ports::{Client, NewSession};
use domain::{Error, Problem, Result, Timestamp, UserId};
use futures::future::BoxFuture;
use std::sync::atomic::Ordering;

/// A session unused this long is over: 12 hours.
const IDLE_MS: i64 = 12 * 3_600_000;
/// A session is over after this in any case: 7 days.
const WHOLE_MS: i64 = 7 * 86_400_000;
/// How seldom use is noted.
const NOTE_MS: i64 = 60_000;

impl AccessService {
    pub(super) async fn write<T, F>(&self, f: F) -> store::Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a mut Tx) -> BoxFuture<'a, store::Result<T>> + Send + 'static,
    {
        self.store.write(f).await
    }

    pub(super) async fn is_setup_open(&self) -> Result<bool> {
        if self.has_admin.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let has = self.store.has_admin().await?;
        if has {
            self.has_admin.store(true, Ordering::Relaxed);
            self.setup.remove();
        }
        Ok(!has)
    }

    pub(super) async fn first_admin(
        &self,
        code: String,
        name: String,
        password: String,
        client: Client,
    ) -> Result<NewSession> {
        let closed = || Error::NotFound("The set-up page".into());
        if !self.is_setup_open().await? {
            return Err(closed());
        }
        // What is wrong with the form tells nothing of the code, so it counts as no try.
        let name = super::account::checked_name(&name)?;
        password::check(&password, &name)?;
        let keys = Keys::of("set-up", &client.ip);
        self.begin_try(&keys).await?;
        if !self.setup.matches(&code) {
            return Err(Error::invalid_field(
                "code",
                "this is not the set-up code; it is printed where the server runs",
            ));
        }
        let hash = self.passwords.hash(password).await?;
        let (session, now) = (self.new_session(&client), self.clock.now());
        let (row, secret) = session;
        self.write(move |tx| {
            let (name, hash, keys, mut row) = (name.clone(), hash.clone(), keys.clone(), row.clone());
            Box::pin(async move {
                // Inside the write, so that of many at once exactly one makes the admin.
                if tx.has_admin().await? {
                    return Err(Error::NotFound("The set-up page".into()).into());
                }
                row.user = tx.insert_user(&name, &hash, Role::Admin, now).await?;
                tx.insert_session(&row).await?;
                tries::forgive(tx, &keys, now).await?;
                let made = Entry {
                    object: Some("user"),
                    object_id: Some(row.user.0),
                    ..signed(&row, &name, "user.setup")
                };
                tx.audit(made).await?;
                Ok(row.user)
            })
        })
        .await
        .map_err(Error::from)
        .map(|user| {
            self.has_admin.store(true, Ordering::Relaxed);
            self.setup.remove();
            NewSession {
                secret,
                max_age: WHOLE_MS / 1_000,
                user,
            }
        })
    }

    pub(super) async fn begin_session(&self, name: String, password: String, client: Client) -> Result<NewSession> {
        let keys = Keys::of(&name, &client.ip);
        self.begin_try(&keys).await?;
        let account = self
            .store
            .account(name.trim())
            .await?
            .filter(|a| a.disabled_at.is_none());
        let hash = account.as_ref().and_then(|a| a.password_hash.clone());
        let right = self.passwords.verify(password.clone(), hash.clone()).await?;
        let Some(account) = account.filter(|_| right) else {
            self.refused(&name, &client).await?;
            let wrong = Problem::field("password", "name or password is wrong");
            return Err(Error::Invalid {
                detail: "Name or password is wrong.".into(),
                problems: vec![wrong],
            });
        };
        let renewed = match hash.as_deref().is_some_and(password::outdated) {
            true => Some(self.passwords.hash(password).await?),
            false => None,
        };
        let (mut row, secret) = self.new_session(&client);
        (row.user, row.authz_epoch) = (UserId(account.id), account.authz_epoch);
        let (user, now) = (row.user, row.now);
        self.write(move |tx| {
            let (row, keys, renewed, name) = (row.clone(), keys.clone(), renewed.clone(), account.name.clone());
            Box::pin(async move {
                if let Some(hash) = renewed {
                    tx.renew_hash(row.user, &hash).await?;
                }
                tx.insert_session(&row).await?;
                tries::forgive(tx, &keys, now).await?;
                tx.audit(signed(&row, &name, "session.begin")).await
            })
        })
        .await?;
        Ok(NewSession {
            secret,
            max_age: WHOLE_MS / 1_000,
            user,
        })
    }

    pub(super) async fn end_session(&self, secret: &str) -> Result<()> {
        let (hash, now) = (secret::hash(secret), self.clock.now());
        self.write(move |tx| {
            let hash = hash.clone();
            Box::pin(async move {
                let Some(user) = tx.end_session(&hash).await? else {
                    return Ok(());
                };
                tx.audit(Entry {
                    at: now,
                    actor_kind: "user",
                    actor_id: Some(user.0),
                    action: "session.end",
                    result: "ok",
                    ..Entry::default()
                })
                .await
            })
        })
        .await?;
        self.known.clear();
        Ok(())
    }

    pub(super) async fn session_viewer(&self, secret: &str) -> Result<Option<Viewer>> {
        if secret.is_empty() || secret.len() > 128 {
            return Ok(None);
        }
        let (hash, now) = (secret::hash(secret), self.clock.now());
        if let Some(viewer) = self.known.get(&hash, now) {
            return Ok(Some(viewer));
        }
        let Some((viewer, seen)) = self.store.session(&hash, now).await? else {
            return Ok(None);
        };
        self.known.put(hash.clone(), now, viewer.clone());
        if now.since(seen) >= NOTE_MS {
            self.aside(move |tx| {
                let hash = hash.clone();
                Box::pin(async move { tx.touch_session(&hash, now, now.plus(IDLE_MS)).await })
            });
        }
        Ok(Some(viewer))
    }

    pub(super) async fn token_viewer(&self, token: &str) -> Result<Option<Viewer>> {
        if !secret::well_formed(token) {
            return Ok(None);
        }
        let (hash, now) = (secret::hash(token), self.clock.now());
        if let Some(viewer) = self.known.get(&hash, now) {
            return Ok(Some(viewer));
        }
        let Some(bearer) = self.store.bearer(&hash, now).await? else {
            return Ok(None);
        };
        self.known.put(hash, now, bearer.viewer.clone());
        if bearer.used_at.is_none_or(|at| now.since(at) >= NOTE_MS) {
            self.aside(move |tx| Box::pin(async move { tx.touch_token(bearer.id, now).await }));
        }
        Ok(Some(bearer.viewer))
    }

    pub(super) async fn present(&self, viewer: &Viewer) -> Result<Option<Viewer>> {
        if viewer.via == Via::Cli {
            return Ok(Some(viewer.clone()));
        }
        let Some((authz_epoch, grants)) = self.store.rights(viewer.user).await? else {
            return Ok(None);
        };
        // A session ends with the rights it began with; a token goes on with the present ones.
        if viewer.via == Via::Session && authz_epoch != viewer.authz_epoch {
            return Ok(None);
        }
        Ok(Some(Viewer {
            grants,
            authz_epoch,
            ..viewer.clone()
        }))
    }

    /// Counts a try, or refuses it.
    async fn begin_try(&self, keys: &Keys) -> Result<()> {
        let (keys, now) = (keys.clone(), self.clock.now());
        let wait = self
            .write(move |tx| {
                let keys = keys.clone();
                Box::pin(async move { tries::begin(tx, &keys, now).await })
            })
            .await?;
        wait.map_or(Ok(()), |retry_after| Err(Error::TooMany { retry_after }))
    }

    /// Audits a wrong password. The name is kept only if it is somebody's: people type passwords there.
    async fn refused(&self, name: &str, client: &Client) -> Result<()> {
        let account = self.store.account(name.trim()).await?;
        let entry = Entry {
            at: self.clock.now(),
            actor_kind: "nobody",
            actor_id: account.as_ref().map(|a| a.id),
            actor_name: account.map(|a| a.name),
            ip: Some(client.ip.clone()),
            action: "session.begin",
            result: "refused",
            ..Entry::default()
        };
        self.write(move |tx| {
            let entry = entry.clone();
            Box::pin(async move { tx.audit(entry).await })
        })
        .await?;
        Ok(())
    }

    /// A session's row, still without its user, and its secret.
    fn new_session(&self, client: &Client) -> (NewSessionRow, String) {
        let now: Timestamp = self.clock.now();
        let secret = secret::session(&mut rand::rng());
        let row = NewSessionRow {
            id_hash: secret::hash(&secret),
            user: UserId(0),
            authz_epoch: 0,
            now,
            idle_until: now.plus(IDLE_MS),
            ends_at: now.plus(WHOLE_MS),
            ip: client.ip.clone(),
            user_agent: client.user_agent.chars().take(200).collect(),
        };
        (row, secret)
    }

    /// Writes something nobody waits for; a failure costs a late note of use.
    fn aside<F>(&self, f: F)
    where
        F: for<'a> FnMut(&'a mut Tx) -> BoxFuture<'a, store::Result<()>> + Send + 'static,
    {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(e) = store.write(f).await {
                tracing::debug!(error = %e, "Use of a session or token was not noted: {e}");
            }
        });
    }
}

fn signed(row: &NewSessionRow, name: &str, action: &'static str) -> Entry {
    Entry {
        at: row.now,
        actor_kind: "user",
        actor_id: Some(row.user.0),
        actor_name: Some(name.to_owned()),
        ip: Some(row.ip.clone()),
        action,
        result: "ok",
        ..Entry::default()
    }
}
