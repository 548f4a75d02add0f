//! Pages in pieces: a browser loads the frame and the queue, the page it is on, and the rest when that is alive.
//!
//! The queue, which one sees first and most, is in the main module. Each other page is a function that a chunk of the
//! WebAssembly module holds. Before hydration the chunk of the page is there
//! ([`start`]); a page whose chunk is not there yet, after a click, is shown when it has come.
//!
//! **Invariant:** what hydration finds is what the server rendered: a page whose chunk is there is the page itself.

/// Every page outside the main module: its chunk, its function, the function that fetches it, its component.
macro_rules! all {
    ($then:ident) => {
        $then! {
            rest: plan_list plan_list_there pages::plans::PlanList,
            rest: plan_show plan_show_there pages::plans::PlanShow,
            rest: plan_delete plan_delete_there pages::plans::PlanDelete,
            rest: plan_new plan_new_there pages::plans::PlanNew,
            rest: plan_edit plan_edit_there pages::plans::PlanEdit,
            tasks: task task_there pages::tasks::TaskShow,
            rest: agents agents_there pages::agents::AgentList,
            rest: agent_new agent_new_there pages::agents::AgentNew,
            rest: agent agent_there pages::agents::AgentShow,
            rest: agent_remove agent_remove_there pages::agents::AgentRemove,
            rest: secret_list secret_list_there pages::secrets::SecretList,
            rest: secret_new secret_new_there pages::secrets::SecretNew,
            rest: secret_show secret_show_there pages::secrets::SecretShow,
            rest: repository_list repository_list_there pages::repositories::RepositoryList,
            rest: repository_new repository_new_there pages::repositories::RepositoryNew,
            rest: repository_show repository_show_there pages::repositories::RepositoryShow,
            rest: repository_edit repository_edit_there pages::repositories::RepositoryEdit,
            rest: repository_remove repository_remove_there pages::repositories::RepositoryRemove,
            rest: hook_list hook_list_there pages::hooks::HookList,
            rest: hook_new hook_new_there pages::hooks::HookNew,
            rest: hook_show hook_show_there pages::hooks::HookShow,
            rest: hook_remove hook_remove_there pages::hooks::HookRemove,
            rest: trigger_new trigger_new_there pages::triggers::TriggerNew,
            rest: trigger_edit trigger_edit_there pages::triggers::TriggerEdit,
            rest: triggers triggers_there pages::triggers::TriggerList,
            rest: trigger trigger_there pages::triggers::TriggerShow,
            rest: trigger_try trigger_try_there pages::triggers::TriggerTry,
            rest: trigger_remove trigger_remove_there pages::triggers::TriggerRemove,
            rest: firings firings_there pages::triggers::FiringList,
            rest: firing firing_there pages::triggers::FiringShow,
            rest: me me_there pages::me::MeShow,
            rest: login login_there pages::login::Login,
            rest: setup setup_there pages::setup::Setup,
        }
    };
}

#[cfg(feature = "split")]
#[macro_use]
mod split;
#[cfg(not(feature = "split"))]
#[macro_use]
mod whole;

#[cfg(feature = "hydrate")]
mod load;
#[cfg(feature = "hydrate")]
pub use load::{start, when_there};

#[cfg(not(feature = "hydrate"))]
mod there;
#[cfg(not(feature = "hydrate"))]
use there::when_there;

use crate::pages;
use futures::FutureExt;
use leptos::prelude::*;
use std::pin::Pin;

/// A chunk could not be loaded: the network is down, or the server is of another version than the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing;

all!(pages);

/// A page, as soon as its chunk is there.
type Coming = Pin<Box<dyn Future<Output = Result<AnyView, Missing>>>>;

fn shown(path: &'static str, page: fn() -> Coming) -> AnyView {
    let there = when_there(path);
    if there.get_untracked() {
        return page().now_or_never().and_then(Result::ok).into_any();
    }
    (move || there.get().then(|| page().now_or_never().and_then(Result::ok))).into_any()
}

macro_rules! views {
    ($($(#[$doc:meta])* $view:ident $page:ident $path:literal),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $view() -> AnyView {
            shown($path, || Box::pin($page()))
        }
    )*};
}

views! {
    /// `/plans`.
    show_plans plan_list "/plans",
    /// `/plans/new`.
    show_new plan_new "/plans/new",
    /// `/plans/:id`.
    show_plan plan_show "/plans",
    /// `/plans/:id/edit`.
    show_edit plan_edit "/plans/new",
    /// `/plans/:id/delete`.
    show_delete plan_delete "/plans",
    /// `/tasks/:id`.
    show_task task "/tasks",
    /// `/agents`.
    show_agents agents "/agents",
    /// `/agents/new`.
    show_agent_new agent_new "/agents",
    /// `/agents/:id`.
    show_agent agent "/agents",
    /// `/agents/:id/remove`.
    show_agent_remove agent_remove "/agents",
    /// `/admin/secrets`.
    show_secrets secret_list "/admin",
    /// `/admin/secrets/new`.
    show_secret_new secret_new "/admin",
    /// `/admin/secrets/:id`.
    show_secret secret_show "/admin",
    /// `/admin/repositories`.
    show_repositories repository_list "/admin",
    /// `/admin/repositories/new`.
    show_repository_new repository_new "/admin",
    /// `/admin/repositories/:id`.
    show_repository repository_show "/admin",
    /// `/admin/repositories/:id/edit`.
    show_repository_edit repository_edit "/admin",
    /// `/admin/repositories/:id/remove`.
    show_repository_remove repository_remove "/admin",
    /// `/admin/hooks`.
    show_hooks hook_list "/admin",
    /// `/admin/hooks/new`.
    show_hook_new hook_new "/admin",
    /// `/admin/hooks/:id`.
    show_hook hook_show "/admin",
    /// `/admin/hooks/:id/remove`.
    show_hook_remove hook_remove "/admin",
    /// `/triggers/new`.
    show_trigger_new trigger_new "/triggers",
    /// `/triggers/:id/edit`.
    show_trigger_edit trigger_edit "/triggers",
    /// `/triggers`.
    show_triggers triggers "/triggers",
    /// `/triggers/:id`.
    show_trigger trigger "/triggers",
    /// `/triggers/:id/try`.
    show_trigger_try trigger_try "/triggers",
    /// `/triggers/:id/remove`.
    show_trigger_remove trigger_remove "/triggers",
    /// `/firings`.
    show_firings firings "/firings",
    /// `/firings/:id`.
    show_firing firing "/firings",
    /// `/me`.
    show_me me "/me",
    /// `/login`.
    show_login login "/login",
    /// `/setup`.
    show_setup setup "/login",
}
