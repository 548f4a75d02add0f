//! Server functions of setting up.
//!
//! **Invariant:** open without sign-in, and only until the first admin is made; the port sees to that.

use crate::error::Result;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Whether there is anything to set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupView {
    /// Whether the first admin is still to be made.
    pub open: bool,
    /// The address people use.
    pub public_url: String,
}

/// Whether there is anything to set up.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "setup/get", protocol = crate::wire::Get)]
pub async fn get_setup() -> Result<SetupView> {
    let visit = crate::context::visit()?;
    let open = visit.ports.access.setup_open().await.map_err(crate::Error::respond)?;
    // Who comes later learns nothing of the server here.
    let public_url = if open { visit.public_url } else { String::new() };
    Ok(SetupView { open, public_url })
}

/// Makes the first admin, signs them in and leads to the plans.
///
/// # Errors
/// What the port says: a wrong code, a weak password, a server that is already set up.
#[server(prefix = "/ui", endpoint = "setup/create", protocol = crate::wire::Post)]
pub async fn set_up(code: String, name: String, password: String) -> Result<()> {
    use crate::context::{set_cookie, visit};
    let visit = visit()?;
    let session = visit
        .ports
        .access
        .set_up(code, name, password, visit.client)
        .await
        .map_err(crate::Error::respond)?;
    set_cookie(&visit.cookies.issue(&session));
    leptos_axum::redirect("/plans");
    Ok(())
}
