//! Agents: who runs jobs, what runs on them, what became of them, and how another one comes.
//!
//! **Invariant:** what an agent says of itself is text, never markup.

mod acts;
pub mod add;
pub mod api;
mod list;
mod news;
mod ran;
mod remove;
mod row;
mod settings;
mod show;
mod state;

use crate::chunks;
pub use add::AgentNew;
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use list::AgentList;
pub use remove::AgentRemove;
pub use show::AgentShow;

/// Every page of agents; nested in the frame's route.
#[component(transparent)]
pub fn AgentRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/agents") view=chunks::show_agents ssr=SsrMode::Async/>
        <Route path=path!("/agents/new") view=chunks::show_agent_new ssr=SsrMode::Async/>
        <Route path=path!("/agents/:id") view=chunks::show_agent ssr=SsrMode::Async/>
        <Route path=path!("/agents/:id/remove") view=chunks::show_agent_remove ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}

/// The agent's id in the address; `NotFound` for one that is no number.
fn agent_of(params: &leptos_router::params::ParamsMap) -> crate::error::Result<domain::AgentId> {
    let id = params.get("id").unwrap_or_default();
    id.parse()
        .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Agent {id}"))))
}
