//! The port of badges.
//!
//! **Invariant:** whoever is not signed in sees a badge by its plan's key alone; without one there is nothing, like a plan
//! that does not exist.

use crate::auth::Viewer;
use crate::badge::{Badge, BadgeKey};
use crate::{PlanId, Result};
use async_trait::async_trait;

/// A badge, and by what it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The badge.
    pub badge: Badge,
    /// Whether the key showed it: it is for everybody then.
    pub by_key: bool,
}

/// Badges.
#[async_trait]
pub trait Badges: Send + Sync {
    /// A plan's badge, of one branch where that is named: for who has the plan's key, and for who may read the plan.
    async fn look(
        &self,
        viewer: Option<&Viewer>,
        key: Option<&str>,
        plan: PlanId,
        branch: Option<String>,
    ) -> Result<Seen>;
    /// A plan's key, if it has one. Editors.
    async fn key(&self, viewer: &Viewer, plan: PlanId) -> Result<Option<BadgeKey>>;
    /// Makes a key; the one before it shows nothing any more.
    async fn make(&self, viewer: &Viewer, plan: PlanId) -> Result<BadgeKey>;
    /// Removes the key; harmless without one.
    async fn remove(&self, viewer: &Viewer, plan: PlanId) -> Result<()>;
}
