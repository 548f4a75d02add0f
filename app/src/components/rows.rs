//! Rows of a list that lives: each keeps its place in the document while its content changes.
//!
//! **Invariant:** a row belongs to one key for as long as it is shown, so an open menu never moves to another row.

use leptos::prelude::*;
use std::hash::Hash;

/// A keyed list whose rows follow their data.
#[component]
pub fn Rows<T, K>(
    /// The data, in order.
    #[prop(into)]
    items: Signal<Vec<T>>,
    /// What tells one from another.
    key: fn(&T) -> K,
    /// How one looks; called again only when it has changed.
    row: impl Fn(T) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    let keys = Memo::new(move |_| items.with(|all| all.iter().map(key).collect::<Vec<K>>()));
    let one = move |k: K| {
        let item = Memo::new(move |_| items.with(|all| all.iter().find(|t| key(t) == k).cloned()));
        move || item.get().map(row)
    };
    view! { <For each=move || keys.get() key=K::clone children=one/> }
}
