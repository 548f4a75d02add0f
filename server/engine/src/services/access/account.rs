//! Oneself, users and tokens.
//!
//! **Invariant:** a narrowed token never makes a wider one, and nobody but the command line makes a token for somebody else.

use super::AccessService;
use crate::auth::{password, secret};
use crate::store::audit::Entry;
use crate::store::tokens::NewTokenRow;
use domain::auth::{Action, Role, Scope, TokenScope, Via, Viewer, authorize};
use domain::ports::{MeView, NewToken, TokenView, UserView};
use domain::{Error, Result, Timestamp, TokenId, UserId};
use std::sync::atomic::Ordering;

/// A name that someone wants to have: letters, digits and `. _ - @`, at most 64.
pub(super) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    let ok = |c: char| c.is_alphanumeric() || "._-@".contains(c);
    let why = match name.chars().next() {
        None => "a user needs a name",
        Some(c) if !c.is_alphanumeric() => "a name begins with a letter or digit",
        _ if name.chars().count() > 64 => "a name has at most 64 characters",
        _ if !name.chars().all(ok) => "a name has letters, digits and . _ - @",
        _ => return Ok(name.to_owned()),
    };
    Err(Error::invalid_field("name", why))
}

/// Whether a viewer may change what belongs to themselves: a token that was narrowed may not.
fn own(viewer: &Viewer) -> Result<()> {
    match &viewer.scopes {
        Some(scopes) if !scopes.contains(&TokenScope::Admin) => Err(Error::Forbidden(
            "This token lacks the scope `admin`, so it cannot make or revoke tokens.".into(),
        )),
        _ => Ok(()),
    }
}

impl AccessService {
    pub(super) async fn oneself(&self, viewer: &Viewer) -> Result<MeView> {
        let user = match self.store.user(viewer.user).await? {
            Some(user) => user,
            None if viewer.via == Via::Cli => UserView {
                id: viewer.user,
                name: viewer.name.clone(),
                role: Some(Role::Admin),
                disabled_at: None,
                created_at: Timestamp(0),
            },
            None => return Err(Error::Unauthenticated),
        };
        Ok(MeView {
            user,
            scopes: viewer.scopes.clone(),
        })
    }

    pub(super) async fn all_users(&self, viewer: &Viewer) -> Result<Vec<UserView>> {
        authorize(viewer, Action::Administer, Scope::server("the users"))?;
        Ok(self.store.users().await?)
    }

    pub(super) async fn make_user(
        &self,
        viewer: &Viewer,
        name: String,
        password: String,
        role: Role,
    ) -> Result<UserView> {
        authorize(viewer, Action::Administer, Scope::server("the users"))?;
        let name = checked_name(&name)?;
        password::check(&password, &name)?;
        let hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        let by = Entry {
            object: Some("user"),
            after: Some(format!("{name} {role}")),
            ..Entry::by(viewer, now, "user.create")
        };
        let id: UserId = self
            .write(move |tx| {
                let (name, hash, by) = (name.clone(), hash.clone(), by.clone());
                Box::pin(async move {
                    let id = tx.insert_user(&name, &hash, role, now).await?;
                    tx.audit(Entry {
                        object_id: Some(id.0),
                        ..by
                    })
                    .await?;
                    Ok(id)
                })
            })
            .await?;
        if role == Role::Admin {
            self.has_admin.store(true, Ordering::Relaxed);
            self.setup.remove();
        }
        self.store
            .user(id)
            .await?
            .ok_or_else(|| Error::NotFound(format!("User {id}")))
    }

    pub(super) async fn own_tokens(&self, viewer: &Viewer) -> Result<Vec<TokenView>> {
        authorize(viewer, Action::Read, Scope::default_project("the tokens"))?;
        Ok(self.store.tokens_of(viewer.user).await?)
    }

    pub(super) async fn make_token(
        &self,
        viewer: &Viewer,
        user: Option<String>,
        name: String,
        scopes: Vec<TokenScope>,
        ends_at: Option<Timestamp>,
    ) -> Result<NewToken> {
        authorize(viewer, Action::Read, Scope::default_project("the tokens"))?;
        own(viewer)?;
        let now = self.clock.now();
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(Error::invalid_field(
                "name",
                "a token needs a name of 1 to 64 characters, so that you know it again",
            ));
        }
        if ends_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid_field("ends_at", "this lies in the past"));
        }
        let user = match user {
            Some(other) if viewer.via == Via::Cli => {
                let account = self.store.account(&other).await?.filter(|a| a.disabled_at.is_none());
                UserId(account.ok_or_else(|| Error::NotFound(format!("User `{other}`")))?.id)
            }
            Some(other) if !other.eq_ignore_ascii_case(&viewer.name) => {
                return Err(Error::Forbidden(
                    "Only the command line makes tokens for other people.".into(),
                ));
            }
            None if viewer.via == Via::Cli => return Err(Error::invalid_field("user", "say whose token it is")),
            _ => viewer.user,
        };
        let mut scopes = scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let token = secret::token(&mut rand::rng());
        let row = NewTokenRow {
            user,
            name,
            hash: secret::hash(&token),
            scopes,
            now,
            ends_at,
        };
        let by = Entry {
            object: Some("token"),
            after: Some(row.name.clone()),
            ..Entry::by(viewer, now, "token.create")
        };
        let view = self
            .write(move |tx| {
                let (row, by) = (row.clone(), by.clone());
                Box::pin(async move {
                    let view = tx.insert_token(&row).await?;
                    tx.audit(Entry {
                        object_id: Some(view.id.0),
                        ..by
                    })
                    .await?;
                    Ok(view)
                })
            })
            .await?;
        Ok(NewToken { token, view })
    }

    pub(super) async fn end_token(&self, viewer: &Viewer, id: TokenId) -> Result<()> {
        authorize(viewer, Action::Read, Scope::default_project("the tokens"))?;
        own(viewer)?;
        let (user, now) = (viewer.user, self.clock.now());
        let by = Entry {
            object: Some("token"),
            object_id: Some(id.0),
            ..Entry::by(viewer, now, "token.revoke")
        };
        self.write(move |tx| {
            let by = by.clone();
            Box::pin(async move {
                if !tx.revoke_token(user, id, now).await? {
                    return Err(Error::NotFound(format!("Token {id}")).into());
                }
                tx.audit(by).await
            })
        })
        .await?;
        self.known.clear();
        Ok(())
    }
}
