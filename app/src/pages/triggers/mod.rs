//! Triggers and their firings: what starts plans by itself, when it does next, and why it did or did not.
//!
//! **Invariant:** whatever did not start says why in one sentence; what others sent is text, never markup;
//! a secret is shown once.

mod acts;
pub mod api;
mod band;
pub mod edit;
mod firing;
mod firings;
mod history;
mod hook;
mod list;
mod looks;
mod next;
mod of_plan;
mod payload;
mod remove;
mod row;
mod settings;
mod show;
mod strip;
mod trail;
mod tryout;
mod verdict;
pub mod view;

use crate::chunks;
pub use edit::{TriggerEdit, TriggerNew};
pub use firing::FiringShow;
pub use history::FiringList;
pub use hook::{Refusals, size};
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use list::TriggerList;
pub use looks::verdict_look;
pub use of_plan::TriggersOfPlan;
pub use remove::TriggerRemove;
pub use show::TriggerShow;
pub use tryout::TriggerTry;

/// Every page of triggers and firings; nested in the frame's route.
#[component(transparent)]
pub fn TriggerRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/triggers") view=chunks::show_triggers ssr=SsrMode::Async/>
        <Route path=path!("/triggers/new") view=chunks::show_trigger_new ssr=SsrMode::Async/>
        <Route path=path!("/triggers/:id") view=chunks::show_trigger ssr=SsrMode::Async/>
        <Route path=path!("/triggers/:id/edit") view=chunks::show_trigger_edit ssr=SsrMode::Async/>
        <Route path=path!("/triggers/:id/try") view=chunks::show_trigger_try ssr=SsrMode::Async/>
        <Route path=path!("/triggers/:id/remove") view=chunks::show_trigger_remove ssr=SsrMode::Async/>
        <Route path=path!("/firings") view=chunks::show_firings ssr=SsrMode::Async/>
        <Route path=path!("/firings/:id") view=chunks::show_firing ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}

/// The trigger's id in the address; `NotFound` for one that is no number.
fn trigger_of(params: &leptos_router::params::ParamsMap) -> crate::error::Result<domain::TriggerId> {
    let id = params.get("id").unwrap_or_default();
    id.parse()
        .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Trigger {id}"))))
}

/// The firing's id in the address; `NotFound` for one that is no number.
fn firing_of(params: &leptos_router::params::ParamsMap) -> crate::error::Result<domain::FiringId> {
    let id = params.get("id").unwrap_or_default();
    id.parse()
        .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Firing {id}"))))
}
