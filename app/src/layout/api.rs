//! Server functions of the frame: what it shows, the theme, signing out.
//!
//! **Invariant:** each is a thin door to a port; none decides anything.

use super::me::FrameView;
use crate::error::Result;
use leptos::prelude::*;

/// What the frame shows to this viewer.
///
/// # Errors
/// `Unauthenticated`, with the way to the sign-in page.
#[server(prefix = "/ui", endpoint = "frame/get", protocol = crate::wire::Get)]
pub async fn get_frame() -> Result<FrameView> {
    use crate::context::{cookie, viewer, visit};
    let viewer = viewer()?;
    let visit = visit()?;
    let figures = visit
        .ports
        .queue
        .figures(&viewer)
        .await
        .map_err(crate::Error::respond)?;
    Ok(FrameView {
        role: viewer.role(Some(domain::ProjectId::DEFAULT)),
        name: viewer.name,
        theme: cookie(super::Theme::COOKIE).as_deref().and_then(super::Theme::read),
        seq: visit.ports.tasks.seq().await.map_err(crate::Error::respond)?,
        figures,
        plain_http: visit.plain_http,
        public_url: visit.public_url,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Chooses the theme: `paper`, `ink`, or anything else for the system's.
///
/// # Errors
/// None of its own. Open without sign-in: it changes nothing but a cookie of the browser.
#[server(prefix = "/ui", endpoint = "theme/set", protocol = crate::wire::Post)]
pub async fn set_theme(theme: String) -> Result<()> {
    use super::Theme;
    let (value, age) = Theme::read(&theme).map_or(("", 0), |t| (t.as_str(), 31_536_000));
    crate::context::set_cookie(&format!(
        "{}={value}; Path=/; SameSite=Lax; Max-Age={age}",
        Theme::COOKIE
    ));
    Ok(())
}

/// Signs out and leads to the sign-in page.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "session/delete", protocol = crate::wire::Post)]
pub async fn log_out() -> Result<()> {
    let visit = crate::context::visit()?;
    if let Some(secret) = visit.session {
        visit
            .ports
            .access
            .log_out(secret)
            .await
            .map_err(crate::Error::respond)?;
    }
    crate::context::set_cookie(&visit.cookies.withdraw());
    leptos_axum::redirect("/login");
    Ok(())
}
