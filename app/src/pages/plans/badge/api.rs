//! Server functions of a plan's badge.
//!
//! **Invariant:** each gets the viewer, calls one port and returns; a key is told to those who may make one.

use crate::error::Result;
use domain::PlanId;
use domain::badge::BadgeKey;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A plan's badge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadgeView {
    /// Whether the viewer may make one; who may not is told nothing of it.
    pub may: bool,
    /// The key, if there is one.
    pub key: Option<BadgeKey>,
    /// The plan's page, as people reach it.
    pub page: String,
}

/// A plan's key, if it has one, for those who may make one.
///
/// # Errors
/// What the port says; that it is not for the viewer is no error.
#[server(prefix = "/ui", endpoint = "plans/badge", protocol = crate::wire::Get)]
pub async fn get_badge(plan: PlanId) -> Result<BadgeView> {
    use crate::context::{viewer, visit};
    use domain::auth::{Action, Scope, authorize};
    let (visit, viewer) = (visit()?, viewer()?);
    authorize(&viewer, Action::Read, Scope::default_project(&format!("plan {plan}"))).map_err(crate::Error::respond)?;
    let (may, key) = match visit.ports.badges.key(&viewer, plan).await {
        Ok(key) => (true, key),
        Err(domain::Error::Forbidden { .. }) => (false, None),
        Err(e) => return Err(crate::Error::respond(e)),
    };
    Ok(BadgeView {
        may,
        key,
        page: format!("{}/plans/{plan}", visit.public_url),
    })
}

/// Makes a key, in the place of one that is there. Stays on the page.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "plans/badge/make", protocol = crate::wire::Post)]
pub async fn make_badge_key(plan: PlanId) -> Result<()> {
    use crate::context::{ports, viewer};
    let made = ports()?.badges.make(&viewer()?, plan).await;
    made.map(|_| ()).map_err(crate::Error::respond)
}

/// Removes the key. Stays on the page.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "plans/badge/remove", protocol = crate::wire::Post)]
pub async fn remove_badge_key(plan: PlanId) -> Result<()> {
    use crate::context::{ports, viewer};
    let removed = ports()?.badges.remove(&viewer()?, plan).await;
    removed.map_err(crate::Error::respond)
}
