//! Tokens that register agents.
//!
//! **Invariant:** a token's secret is in the answer that makes it and nowhere else; it ends within a year.

use super::{admin, user};
use crate::auth::secret;
use crate::clock::SharedClock;
use crate::store::Store;
use crate::store::agent_tokens::{self, NewAgentTokenRow};
use crate::store::audit::Entry;
use domain::agent::{AgentTokenView, AgentTokenWish, NewAgentToken, check_labels};
use domain::auth::Viewer;
use domain::{AgentTokenId, Error, Result};
use futures::FutureExt;

/// How long a token lives when nobody says: an hour.
const USUAL_MS: i64 = 3_600_000;
/// How long at most: a year, for images that make new machines.
const LONGEST_MS: i64 = 366 * 86_400_000;
/// Most agents of one token.
const USES: u32 = 1_000;

fn absent(id: AgentTokenId) -> Error {
    Error::NotFound(format!("Registration token {id}"))
}

/// Tokens over a store: for the port, and for the command line beside no server.
#[derive(Clone)]
pub struct AgentTokens {
    store: Store,
    clock: SharedClock,
}

impl AgentTokens {
    /// Tokens over a store.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    /// Tokens that may still register agents, newest first.
    ///
    /// # Errors
    /// When the viewer is no admin, or the database fails.
    pub async fn list(&self, viewer: &Viewer) -> Result<Vec<AgentTokenView>> {
        admin(viewer)?;
        Ok(agent_tokens::list(&self.store, self.clock.now()).await?)
    }

    /// One that is not revoked.
    ///
    /// # Errors
    /// As `list`, and when there is none.
    pub async fn one(&self, viewer: &Viewer, id: AgentTokenId) -> Result<AgentTokenView> {
        admin(viewer)?;
        agent_tokens::one(&self.store, id).await?.ok_or_else(|| absent(id))
    }

    /// Makes one.
    ///
    /// # Errors
    /// As `list`, and when the wish cannot be.
    pub async fn create(&self, viewer: &Viewer, wish: AgentTokenWish) -> Result<NewAgentToken> {
        admin(viewer)?;
        let now = self.clock.now();
        let uses = wish.uses.unwrap_or(1);
        if !(1..=USES).contains(&uses) {
            return Err(Error::invalid_field(
                "uses",
                format!("A token registers 1 to {USES} agents."),
            ));
        }
        let ends_at = wish.expires_at.unwrap_or(now.plus(USUAL_MS));
        if ends_at <= now || ends_at.since(now) > LONGEST_MS {
            return Err(Error::invalid_field(
                "expires_at",
                "A token ends in the future, within a year.",
            ));
        }
        check_labels(&wish.labels).map_err(|why| Error::invalid_field("labels", why))?;
        let token = secret::agent_token(&mut rand::rng());
        let row = NewAgentTokenRow {
            hash: secret::hash(&token),
            uses,
            ends_at,
            labels: wish.labels,
            created_by: user(viewer),
            now,
        };
        let entry = Entry {
            object: Some("agent_token"),
            after: Some(format!("{uses} uses until {ends_at}")),
            ..Entry::by(viewer, now, "agent_token.create")
        };
        let id = self
            .store
            .write(move |tx| {
                let (row, entry) = (row.clone(), entry.clone());
                async move {
                    let id = agent_tokens::insert(tx, &row).await?;
                    tx.audit(Entry {
                        object_id: Some(id.0),
                        ..entry
                    })
                    .await?;
                    Ok(id)
                }
                .boxed()
            })
            .await?;
        Ok(NewAgentToken {
            token,
            view: self.one(viewer, id).await?,
        })
    }

    /// Revokes one; the agents it registered stay.
    ///
    /// # Errors
    /// As `one`.
    pub async fn revoke(&self, viewer: &Viewer, id: AgentTokenId) -> Result<()> {
        admin(viewer)?;
        let now = self.clock.now();
        let entry = Entry {
            object: Some("agent_token"),
            object_id: Some(id.0),
            ..Entry::by(viewer, now, "agent_token.revoke")
        };
        self.store
            .write(move |tx| {
                let entry = entry.clone();
                async move {
                    if !agent_tokens::revoke(tx, id, now).await? {
                        return Err(absent(id).into());
                    }
                    tx.audit(entry).await
                }
                .boxed()
            })
            .await?;
        Ok(())
    }
}
