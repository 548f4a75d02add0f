//! Server functions of the page that adds an agent.
//!
//! **Invariant:** each gets the viewer, calls one port and returns.

use crate::error::Result;
use domain::agent::{AgentTokenView, AgentView};
use domain::{AgentTokenId, Timestamp};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The cookie that carries a new secret over the redirect of a form without a script.
#[cfg(feature = "ssr")]
const FRESH: &str = "caracal-fresh-agent-token";

#[cfg(feature = "ssr")]
fn fresh_cookie(secret: &str, age: u32, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{FRESH}={secret}; Path=/agents/new; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

/// The page's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddView {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// Where agents reach this server.
    pub url: String,
    /// The token that was asked about, with the agents it has registered.
    pub made: Option<MadeView>,
    /// Tokens that may still register agents, newest first.
    pub tokens: Vec<AgentTokenView>,
}

/// A token and who has called with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeView {
    /// The token.
    pub token: AgentTokenView,
    /// Its agents, by name.
    pub agents: Vec<AgentView>,
    /// The secret of the token just made without a script, shown this once.
    pub fresh: Option<String>,
}

/// A token just made, as far as the page needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeToken {
    /// Its id.
    pub id: AgentTokenId,
    /// Its secret, shown this once.
    pub secret: String,
}

/// What the page shows; `token` 0 asks about none.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "agents/add", protocol = crate::wire::Get)]
pub async fn get_add(#[server(default)] token: i64) -> Result<AddView> {
    use crate::context::{cookie, set_cookie, viewer, visit, wants_html};
    let (visit, viewer) = (visit()?, viewer()?);
    let fresh = match wants_html() {
        true => cookie(FRESH).filter(|c| !c.is_empty()),
        false => None,
    };
    if fresh.is_some() {
        set_cookie(&fresh_cookie("", 0, visit.cookies.secure));
    }
    let agents = &visit.ports.agents;
    let seq = visit.ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let tokens = agents.tokens(&viewer).await.map_err(crate::Error::respond)?;
    let made = match token {
        0 => None,
        id => {
            let token = agents
                .token(&viewer, AgentTokenId(id))
                .await
                .map_err(crate::Error::respond)?;
            let mut all = agents.list(&viewer).await.map_err(crate::Error::respond)?;
            all.retain(|a| token.agents.iter().any(|n| n.id == a.id));
            Some(MadeView {
                token,
                agents: all,
                fresh,
            })
        }
    };
    Ok(AddView {
        seq,
        now: visit.now,
        url: visit.public_url,
        made,
        tokens,
    })
}

/// Makes a token that registers agents and stays on the page, which shows the command. Its secret is in the answer and, for
/// a browser without scripts, in a cookie that the next view of the page takes back.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "agents/tokens/create", protocol = crate::wire::Post)]
pub async fn create_agent_token(
    #[server(default)] minutes: i64,
    #[server(default)] uses: String,
    #[server(default)] labels: String,
) -> Result<MadeToken> {
    use crate::context::{set_cookie, viewer, visit, wants_html};
    let (visit, viewer) = (visit()?, viewer()?);
    let wrong = |field: &str, why: &str| crate::Error::respond(domain::Error::invalid_field(field, why));
    let uses = match uses.trim() {
        "" => 1,
        n => n
            .parse()
            .map_err(|_| wrong("uses", "A token registers 1 to 1000 agents."))?,
    };
    let labels = domain::agent::parse_labels(&labels).map_err(|why| wrong("labels", &why))?;
    let wish = domain::agent::AgentTokenWish {
        uses: Some(uses),
        expires_at: (minutes > 0).then(|| visit.now.plus(minutes.min(527_040) * 60_000)),
        labels,
    };
    let made = (visit.ports.agents.create_token(&viewer, wish).await).map_err(crate::Error::respond)?;
    if wants_html() {
        set_cookie(&fresh_cookie(&made.token, 60, visit.cookies.secure));
        leptos_axum::redirect(&format!("/agents/new?token={}", made.view.id));
    }
    Ok(MadeToken {
        id: made.view.id,
        secret: made.token,
    })
}

/// Revokes a token; agents it has registered stay. Stays on the page.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "agents/tokens/revoke", protocol = crate::wire::Post)]
pub async fn revoke_agent_token(token: AgentTokenId) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .agents
        .revoke_token(&viewer()?, token)
        .await
        .map_err(crate::Error::respond)?;
    // Not back to an address that asks about it.
    leptos_axum::redirect("/agents/new");
    Ok(())
}
