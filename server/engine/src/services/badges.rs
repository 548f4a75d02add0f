//! Badges: `domain::ports::Badges`.
//!
//! **Invariant:** a key is compared in a time that tells nothing; a wrong one is answered like a plan that does not exist.

use crate::auth::secret::{same, session};
use crate::clock::SharedClock;
use crate::store::audit::Entry;
use crate::store::badges::{self, Keyed};
use crate::store::{NewEvent, Store};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Viewer, authorize};
use domain::badge::{Badge, BadgeKey};
use domain::ports::{Badges, Seen};
use domain::{Error, PlanId, ProjectId, Result, Timestamp};
use serde_json::json;
use std::sync::Arc;

/// What every key begins with.
const PREFIX: &str = "bdg_";

/// The service behind `Badges`. Cheap to clone.
#[derive(Clone)]
pub struct BadgesService {
    store: Store,
    clock: SharedClock,
    public_url: Arc<str>,
}

impl BadgesService {
    /// The service over a store, and the address people use.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, public_url: &str) -> Self {
        Self {
            store,
            clock,
            public_url: public_url.into(),
        }
    }

    fn view(&self, plan: PlanId, key: String, made_at: Timestamp) -> BadgeKey {
        BadgeKey {
            plan_id: plan,
            url: format!("{}/plans/{plan}/badge.svg?key={key}", self.public_url),
            key,
            made_at,
        }
    }

    /// Gives a plan a key, or takes it away.
    async fn put(&self, viewer: &Viewer, plan: PlanId, key: Option<String>, action: &'static str) -> Result<Timestamp> {
        let (viewer, now) = (viewer.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let (viewer, key) = (viewer.clone(), key.clone());
                Box::pin(async move {
                    let name = badges::put(tx, ProjectId::DEFAULT, plan, key.as_deref(), now).await?;
                    let name = name.ok_or_else(|| absent(plan))?;
                    tx.emit(NewEvent {
                        actor: Some(viewer.name.clone()),
                        ..NewEvent::about("plan", plan.0, "plan.badge", now, json!({}))
                    });
                    tx.audit(Entry::by(&viewer, now, action).about("plan", plan.0, name))
                        .await
                })
            })
            .await?;
        Ok(now)
    }
}

fn absent(plan: PlanId) -> Error {
    Error::NotFound(format!("Plan {plan}"))
}

/// Whether a key was given, there is one, and they are the same.
fn opens(plan: Option<&Keyed>, given: Option<&str>) -> bool {
    let kept = plan.and_then(|p| p.badge_key.as_deref());
    // Compared also where there is nothing to compare with.
    let same = same(given.unwrap_or_default(), kept.unwrap_or(PREFIX));
    same && given.is_some() && kept.is_some()
}

#[async_trait]
impl Badges for BadgesService {
    async fn look(
        &self,
        viewer: Option<&Viewer>,
        key: Option<&str>,
        plan: PlanId,
        branch: Option<String>,
    ) -> Result<Seen> {
        let found = badges::keyed(&self.store, ProjectId::DEFAULT, plan).await?;
        let by_key = opens(found.as_ref(), key);
        if !by_key {
            let viewer = viewer.ok_or_else(|| absent(plan))?;
            authorize(viewer, Action::Read, Scope::default_project(&format!("plan {plan}")))?;
        }
        let found = found.ok_or_else(|| absent(plan))?;
        let status = badges::status(&self.store, plan, branch.as_deref()).await?;
        Ok(Seen {
            badge: Badge {
                plan: found.name,
                branch,
                status,
            },
            by_key,
        })
    }

    async fn key(&self, viewer: &Viewer, plan: PlanId) -> Result<Option<BadgeKey>> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("plan {plan}")))?;
        let found = badges::keyed(&self.store, ProjectId::DEFAULT, plan).await?;
        let found = found.ok_or_else(|| absent(plan))?;
        let made = found.badge_key.zip(found.badge_at);
        Ok(made.map(|(key, at)| self.view(plan, key, Timestamp(at))))
    }

    async fn make(&self, viewer: &Viewer, plan: PlanId) -> Result<BadgeKey> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("plan {plan}")))?;
        let key = format!("{PREFIX}{}", session(&mut rand::rng()));
        let made_at = self.put(viewer, plan, Some(key.clone()), "plan.badge_key").await?;
        Ok(self.view(plan, key, made_at))
    }

    async fn remove(&self, viewer: &Viewer, plan: PlanId) -> Result<()> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("plan {plan}")))?;
        self.put(viewer, plan, None, "plan.no_badge_key").await?;
        Ok(())
    }
}
