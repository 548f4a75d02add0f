//! Server functions of one's own page.
//!
//! **Invariant:** each gets the viewer, calls one port and returns.

use crate::error::Result;
use domain::TokenId;
use domain::auth::TokenScope;
use domain::{Timestamp, UserId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The cookie that carries a new secret over the redirect of a form without a script.
#[cfg(feature = "ssr")]
const FRESH: &str = "caracal-fresh-token";

#[cfg(feature = "ssr")]
fn fresh_cookie(secret: &str, age: u32, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{FRESH}={secret}; Path=/me; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

/// A token without its secret, as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// Its scopes; empty means all that the role allows.
    pub scopes: Vec<TokenScope>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensView {
    /// Whose.
    pub user: UserId,
    /// The tokens.
    pub tokens: Vec<TokenRow>,
    /// The instant it was read at.
    pub now: Timestamp,
    /// The secret of the token just made without a script, shown this once.
    pub fresh: Option<String>,
}

/// One's tokens.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tokens/list", protocol = crate::wire::Get)]
pub async fn list_tokens() -> Result<TokensView> {
    use crate::context::{cookie, set_cookie, viewer, visit, wants_html};
    let (visit, viewer) = (visit()?, viewer()?);
    let fresh = if wants_html() {
        cookie(FRESH).filter(|c| !c.is_empty())
    } else {
        None
    };
    if fresh.is_some() {
        set_cookie(&fresh_cookie("", 0, visit.cookies.secure));
    }
    let tokens = visit
        .ports
        .access
        .tokens(&viewer)
        .await
        .map_err(crate::Error::respond)?;
    let tokens = tokens
        .into_iter()
        .map(|t| TokenRow {
            id: t.id,
            name: t.name,
            scopes: t.scopes,
            ends_at: t.ends_at,
            used_at: t.used_at,
            created_at: t.created_at,
        })
        .collect();
    Ok(TokensView {
        user: viewer.user,
        tokens,
        now: visit.now,
        fresh,
    })
}

/// Makes a token; its secret is in the answer and, for a browser without scripts, in a cookie that the next view of the
/// page takes back. No scope ticked means all that the role allows; `days` 0 means that it never ends.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tokens/create", protocol = crate::wire::Post)]
pub async fn create_token(
    name: String,
    #[server(default)] read: bool,
    #[server(default)] run: bool,
    #[server(default)] write: bool,
    #[server(default)] admin: bool,
    #[server(default)] metrics: bool,
    #[server(default)] days: i64,
) -> Result<String> {
    use crate::context::{set_cookie, viewer, visit, wants_html};
    let (visit, viewer) = (visit()?, viewer()?);
    let scopes = [
        (read, TokenScope::Read),
        (run, TokenScope::Run),
        (write, TokenScope::Write),
        (admin, TokenScope::Admin),
        (metrics, TokenScope::Metrics),
    ];
    let scopes = scopes
        .into_iter()
        .filter_map(|(ticked, s)| ticked.then_some(s))
        .collect();
    let ends_at = (days > 0).then(|| visit.now.plus(days.min(3_650) * 86_400_000));
    let made = visit
        .ports
        .access
        .create_token(&viewer, None, name, scopes, ends_at)
        .await
        .map_err(crate::Error::respond)?;
    if wants_html() {
        set_cookie(&fresh_cookie(&made.token, 60, visit.cookies.secure));
    }
    Ok(made.token)
}

/// Revokes one of one's own tokens.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tokens/revoke", protocol = crate::wire::Post)]
pub async fn revoke_token(token: TokenId) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .access
        .revoke_token(&viewer()?, token)
        .await
        .map_err(crate::Error::respond)
}
