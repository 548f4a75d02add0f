//! Secrets: the list, a new one, setting one anew.
//!
//! **Invariant:** a value travels from the form to the server alone; no page holds one, not even one that was just sent.

pub mod api;
mod list;
mod new;
mod show;
mod users;
mod value;

use crate::chunks;
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use list::SecretList;
pub use new::SecretNew;
pub use show::SecretShow;

/// Every page of secrets; nested in the frame's route.
#[component(transparent)]
pub fn SecretRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/admin/secrets") view=chunks::show_secrets ssr=SsrMode::Async/>
        <Route path=path!("/admin/secrets/new") view=chunks::show_secret_new ssr=SsrMode::Async/>
        <Route path=path!("/admin/secrets/:id") view=chunks::show_secret ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}
