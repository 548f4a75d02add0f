//! Triggers: what starts tasks by itself, what it decided, and why.
//!
//! **Invariant:** what others sent is text, never markup; a secret is shown once.

pub mod edit;

use crate::chunks;
pub use edit::{TriggerEdit, TriggerNew};
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};

/// Every page of triggers; nested in the frame's route.
#[component(transparent)]
pub fn TriggerRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/triggers/new") view=chunks::show_trigger_new ssr=SsrMode::Async/>
        <Route path=path!("/triggers/:id/edit") view=chunks::show_trigger_edit ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}
