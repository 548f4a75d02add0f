//! One task: what it is, what broke, its jobs and steps, and the console of one step.
//!
//! **Invariant:** the address says which tab, step and place is shown; without a script it is all there, by links.

// What a side does not use of a part that both compile is no fault: the server chooses and quotes, the browser scrolls.
pub mod api;
mod approval;
mod attempts;
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod console;
mod document;
mod events;
mod facts;
#[cfg_attr(not(feature = "ssr"), allow(dead_code))]
mod failure;
mod failure_card;
#[cfg_attr(not(feature = "ssr"), allow(dead_code))]
mod past;
#[cfg_attr(not(feature = "ssr"), allow(dead_code))]
mod select;
mod show;
mod tabs;
mod told;
mod tree;
mod wish;

use crate::chunks;
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use show::TaskShow;

/// Every page of tasks; nested in the frame's route.
#[component(transparent)]
pub fn TaskRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! { <Route path=path!("/tasks/:id") view=chunks::show_task ssr=SsrMode::Async/> }
        .into_inner()
        .into_any_nested_route()
}
