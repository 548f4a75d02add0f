//! Server functions of hooks.
//!
//! **Invariant:** each gets the viewer, calls its ports and returns; a secret that was made is laid on the shelf, and taken
//! from there by the page that shows it, once.

use crate::error::Result;
use domain::trigger::{HookView, ReceivedView};
use domain::{HookId, Timestamp};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Where hooks are listed.
pub const LIST: &str = "/admin/hooks";

/// All hooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HooksView {
    /// The event number it was read at.
    pub seq: i64,
    /// The instant.
    pub now: Timestamp,
    /// All of them, by name.
    pub hooks: Vec<HookView>,
}

/// All hooks.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "hooks/list", protocol = crate::wire::Get)]
pub async fn list_hooks() -> Result<HooksView> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    // The number first: news that come between the reads are then heard again, never missed.
    let seq = visit.ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let hooks = visit.ports.hooks.list(&viewer).await;
    let mut hooks = hooks.map_err(crate::Error::respond)?;
    hooks.sort_by_key(|h| h.name.to_lowercase());
    Ok(HooksView {
        seq,
        now: visit.now,
        hooks,
    })
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookPage {
    /// The event number it was read at.
    pub seq: i64,
    /// The instant.
    pub now: Timestamp,
    /// The hook, with what it refused last.
    pub hook: HookView,
    /// What it took last.
    pub received: Vec<ReceivedView>,
    /// A secret that was made for it just now, shown this once.
    pub made: Option<String>,
}

/// One hook; `made` is where a secret that was made for it lies.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "hooks/get", protocol = crate::wire::Get)]
pub async fn get_hook(hook: HookId, #[server(default)] made: u64) -> Result<HookPage> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    let ports = &visit.ports;
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let found = ports.hooks.get(&viewer, hook).await.map_err(crate::Error::respond)?;
    let received = ports
        .hooks
        .received(&viewer, hook)
        .await
        .map_err(crate::Error::respond)?;
    Ok(HookPage {
        seq,
        now: visit.now,
        hook: found,
        received,
        made: crate::shelf::take(viewer.user, &format!("{LIST}/{hook}"), made),
    })
}

/// Whether the viewer may make hooks.
///
/// # Errors
/// `Unauthenticated`; `Forbidden` for those who may not write hooks.
#[server(prefix = "/ui", endpoint = "hooks/new", protocol = crate::wire::Get)]
pub async fn get_new_hook() -> Result<()> {
    use domain::auth::{Action, Scope, authorize};
    let viewer = crate::context::viewer()?;
    authorize(&viewer, Action::Write, Scope::default_project("the hooks")).map_err(crate::Error::respond)
}

/// Leads to a hook's page, with the secret that was made for it where there is one.
#[cfg(feature = "ssr")]
fn lead(user: domain::UserId, hook: &HookView) {
    let page = format!("{LIST}/{}", hook.id);
    match &hook.secret {
        Some(made) => {
            let number = crate::shelf::put(user, &page, &made.0);
            leptos_axum::redirect(&format!("{page}?made={number}"));
        }
        None => leptos_axum::redirect(&page),
    }
}

/// A secret as it was typed; none where nothing was.
#[cfg(feature = "ssr")]
fn typed(secret: &str) -> Option<domain::secret::SecretValue> {
    let secret = secret.trim();
    (!secret.is_empty()).then(|| domain::secret::SecretValue(secret.to_owned()))
}

/// Makes a hook and leads to it. `secret` empty: a fresh one is made, and shown there once. `signing` is `standard`, `hmac`
/// or `bearer`, for a sender that is no forge.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "hooks/create", protocol = crate::wire::Post)]
pub async fn create_hook(
    #[server(default)] name: String,
    #[server(default)] provider: String,
    #[server(default)] signing: String,
    #[server(default)] header: String,
    #[server(default)] secret: String,
) -> Result<()> {
    use crate::context::{ports, viewer};
    use domain::trigger::{Generic, NewHook, Provider};
    let viewer = viewer()?;
    let provider: Provider = provider.parse().map_err(|_| {
        crate::Error::respond(domain::Error::invalid_field(
            "provider",
            "Choose who sends the deliveries.",
        ))
    })?;
    let signing = match (provider, signing.as_str()) {
        (Provider::Generic, "hmac") => Some(Generic::Hmac(header.trim().to_lowercase())),
        (Provider::Generic, "bearer") => Some(Generic::Bearer),
        _ => None,
    };
    let wish = NewHook {
        name: name.trim().to_owned(),
        provider,
        signing,
        secret: typed(&secret),
    };
    let made = ports()?
        .hooks
        .create(&viewer, wish)
        .await
        .map_err(crate::Error::respond)?;
    lead(viewer.user, &made);
    Ok(())
}

/// Gives a hook another name. Stays on the page.
///
/// # Errors
/// What the port says; `Conflict` when someone else has changed it meanwhile.
#[server(prefix = "/ui", endpoint = "hooks/rename", protocol = crate::wire::Post)]
pub async fn rename_hook(hook: HookId, version: i64, #[server(default)] name: String) -> Result<()> {
    use crate::context::{ports, viewer};
    let wish = domain::trigger::PutHook {
        version,
        name: Some(name.trim().to_owned()),
        ..Default::default()
    };
    let saved = ports()?.hooks.save(&viewer()?, hook, wish).await;
    saved.map(|_| ()).map_err(crate::Error::respond)
}

/// Gives a hook another secret, and leads to its page. `secret` empty: a fresh one is made, and shown there once. The one
/// before it is believed too, until it is ended.
///
/// # Errors
/// What the port says; `Conflict` when someone else has changed it meanwhile.
#[server(prefix = "/ui", endpoint = "hooks/rotate", protocol = crate::wire::Post)]
pub async fn rotate_hook(hook: HookId, version: i64, #[server(default)] secret: String) -> Result<()> {
    use crate::context::{ports, viewer};
    let viewer = viewer()?;
    let secret = typed(&secret);
    let wish = domain::trigger::PutHook {
        version,
        fresh_secret: secret.is_none(),
        secret,
        ..Default::default()
    };
    let saved = ports()?.hooks.save(&viewer, hook, wish).await;
    lead(viewer.user, &saved.map_err(crate::Error::respond)?);
    Ok(())
}

/// Ends the old one of a hook's two secrets. Stays on the page.
///
/// # Errors
/// What the port says; `Conflict` when someone else has changed it meanwhile.
#[server(prefix = "/ui", endpoint = "hooks/end-old", protocol = crate::wire::Post)]
pub async fn end_old_secret(hook: HookId, version: i64) -> Result<()> {
    use crate::context::{ports, viewer};
    let wish = domain::trigger::PutHook {
        version,
        forget_old: true,
        ..Default::default()
    };
    let saved = ports()?.hooks.save(&viewer()?, hook, wish).await;
    saved.map(|_| ()).map_err(crate::Error::respond)
}

/// Removes a hook and leads to the list.
///
/// # Errors
/// What the port says: `Conflict` while triggers listen to it.
#[server(prefix = "/ui", endpoint = "hooks/remove", protocol = crate::wire::Post)]
pub async fn remove_hook(hook: HookId) -> Result<()> {
    use crate::context::{ports, viewer};
    let removed = ports()?.hooks.delete(&viewer()?, hook).await;
    removed.map_err(crate::Error::respond)?;
    leptos_axum::redirect(LIST);
    Ok(())
}
