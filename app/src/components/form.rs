//! A form that does something: sent by the script where there is one, by the browser where there is none.
//!
//! **Invariant:** both send the same fields to the same address.

use crate::browser;
use crate::error::Error;
use crate::wire::{Deed, Held};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

/// A form whose fields are the arguments of a server function.
#[component]
pub fn ActionForm<F: ServerFn<Error = Error> + 'static>(
    /// What it does.
    action: Deed<F>,
    /// Its fields and buttons.
    children: Children,
) -> AnyView {
    form(F::url(), action.action(), children)
}

fn form(url: &'static str, action: Action<String, Held>, children: Children) -> AnyView {
    let send = move |ev: leptos::ev::SubmitEvent| {
        if let Some(fields) = browser::fields_of(&ev) {
            action.dispatch(fields);
        }
    };
    view! {
        <form action=url method="post" on:submit=send>
            {children()}
        </form>
    }
    .into_any()
}
