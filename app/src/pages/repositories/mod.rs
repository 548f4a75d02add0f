//! Repositories: where sources are, what opens them, how they are, and what forges were told of their commits.
//!
//! **Invariant:** what opens one travels from the form to the server alone; names and URLs are text, never markup.

pub mod api;
mod edit;
mod form;
mod list;
mod looks;
mod remove;
mod show;
mod statuses;
mod tested;
mod users;
pub mod view;

use crate::chunks;
pub use edit::{RepositoryEdit, RepositoryNew};
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;
use leptos_router::components::Route;
use leptos_router::{SsrMode, path};
pub use list::RepositoryList;
pub use remove::RepositoryRemove;
pub use show::RepositoryShow;
pub use statuses::{sending_look, told_words};

/// Every page of repositories; nested in the frame's route.
#[component(transparent)]
pub fn RepositoryRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/admin/repositories") view=chunks::show_repositories ssr=SsrMode::Async/>
        <Route path=path!("/admin/repositories/new") view=chunks::show_repository_new ssr=SsrMode::Async/>
        <Route path=path!("/admin/repositories/:id") view=chunks::show_repository ssr=SsrMode::Async/>
        <Route path=path!("/admin/repositories/:id/edit") view=chunks::show_repository_edit ssr=SsrMode::Async/>
        <Route path=path!("/admin/repositories/:id/remove") view=chunks::show_repository_remove ssr=SsrMode::Async/>
    }
    .into_inner()
    .into_any_nested_route()
}

/// The repository's id in the address; `NotFound` for one that is no number.
fn repository_of(params: &leptos_router::params::ParamsMap) -> crate::error::Result<domain::RepositoryId> {
    let id = params.get("id").unwrap_or_default();
    id.parse()
        .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Repository {id}"))))
}
