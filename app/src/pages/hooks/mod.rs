//! Hooks: addresses for deliveries, what came there, what was refused, and the secrets that deliveries are judged by.
//!
//! **Invariant:** a secret is shown once, to who had it made; of what was refused no byte of the body is there to be shown.

pub mod api;
pub(crate) mod guide;
mod list;
mod new;
mod received;
mod remove;
mod secret;
mod show;
mod words;

use crate::chunks;
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use list::HookList;
pub use new::HookNew;
pub use remove::HookRemove;
pub use show::HookShow;
pub use words::sender;

/// Every page of hooks; nested in the frame's route.
#[component(transparent)]
pub fn HookRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/admin/hooks") view=chunks::show_hooks ssr=SsrMode::Async/>
        <Route path=path!("/admin/hooks/new") view=chunks::show_hook_new ssr=SsrMode::Async/>
        <Route path=path!("/admin/hooks/:id") view=chunks::show_hook ssr=SsrMode::Async/>
        <Route path=path!("/admin/hooks/:id/remove") view=chunks::show_hook_remove ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}

/// The hook's id in the address; `NotFound` for one that is no number.
fn hook_of(params: &leptos_router::params::ParamsMap) -> crate::error::Result<domain::HookId> {
    let id = params.get("id").unwrap_or_default();
    id.parse()
        .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Hook {id}"))))
}
