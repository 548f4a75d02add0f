//! Plans: the list, one plan, its editor, taking it away.
//!
//! **Invariant:** every form here works without a script, and what was typed survives a refusal.

pub mod api;
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

use delete::PlanDelete;
use edit::{PlanEdit, PlanNew};
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
use list::PlanList;
use show::PlanShow;

/// Every page of plans; nested in the frame's route.
#[component(transparent)]
pub fn PlanRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/plans") view=PlanList ssr=SsrMode::Async/>
        <Route path=path!("/plans/new") view=PlanNew ssr=SsrMode::Async/>
        <Route path=path!("/plans/:id") view=PlanShow ssr=SsrMode::Async/>
        <Route path=path!("/plans/:id/edit") view=PlanEdit ssr=SsrMode::Async/>
        <Route path=path!("/plans/:id/delete") view=PlanDelete ssr=SsrMode::Async/>
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
