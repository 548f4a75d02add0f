//! The server function of signing in.
//!
//! **Invariant:** whoever is led on after it stays on this server.

use crate::error::Result;
use leptos::prelude::*;

/// Signs in and leads to `next`, or to the queue.
///
/// # Errors
/// What the port says: one sentence for any wrong pair, `TooMany` when throttled.
#[server(prefix = "/ui", endpoint = "session/create", protocol = crate::wire::Post)]
pub async fn log_in(name: String, password: String, #[server(default)] next: String) -> Result<()> {
    use crate::context::{set_cookie, visit};
    let visit = visit()?;
    let session = visit
        .ports
        .access
        .log_in(name, password, visit.client)
        .await
        .map_err(crate::Error::respond)?;
    set_cookie(&visit.cookies.issue(&session));
    leptos_axum::redirect(crate::address::local_path(&next));
    Ok(())
}
