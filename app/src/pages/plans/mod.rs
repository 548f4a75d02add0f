//! Plans: the list, one plan, its editor, taking it away.
//!
//! **Invariant:** every form here works without a script, and what was typed survives a refusal.

pub mod api;
mod badge;
mod delete;
mod document;
#[cfg(feature = "ssr")]
mod drafts;
mod edit;
mod editor;
mod figures;
mod guide;
mod list;
mod problems;
mod revisions;
mod run;
mod show;
mod tasks;
mod tint;
mod view;

use crate::chunks;
pub use delete::PlanDelete;
pub use edit::{PlanEdit, PlanNew};
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use list::PlanList;
pub use show::PlanShow;

/// Every page of plans; nested in the frame's route.
#[component(transparent)]
pub fn PlanRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/plans") view=chunks::show_plans ssr=SsrMode::Async/>
        <Route path=path!("/plans/new") view=chunks::show_new ssr=SsrMode::Async/>
        <Route path=path!("/plans/:id") view=chunks::show_plan ssr=SsrMode::Async/>
        <Route path=path!("/plans/:id/edit") view=chunks::show_edit ssr=SsrMode::Async/>
        <Route path=path!("/plans/:id/delete") view=chunks::show_delete ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}

/// The plan's id in the address; `NotFound` for one that is no number.
fn plan_of(params: &leptos_router::params::ParamsMap) -> crate::error::Result<domain::PlanId> {
    let id = params.get("id").unwrap_or_default();
    id.parse()
        .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Plan {id}"))))
}
