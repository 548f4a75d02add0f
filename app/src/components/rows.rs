//! Rows of a list that lives: each keeps its place in the document while its content changes.
//!
//! **Invariant:** a row belongs to one key for as long as it is shown, so an open menu never moves to another row.

use crate::memo::memo;
use leptos::prelude::*;
use std::sync::Arc;

/// A keyed list whose rows follow their data.
#[component]
pub fn Rows<T>(
    /// The data, in order.
    #[prop(into)]
    items: Signal<Vec<T>>,
    /// What tells one from another: an id or a number.
    key: fn(&T) -> i64,
    /// How one looks; called again only when it has changed.
    row: impl Fn(T) -> AnyView + Copy + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let keys = move || items.with(|all| all.iter().map(key).collect::<Vec<_>>());
    let one = move |k: i64| {
        let item = memo(move |_| items.with(|all| all.iter().find(|t| key(t) == k).cloned()));
        let row: Row = Arc::new(move || item.get().map(row));
        row
    };
    rows(Box::new(keys), Arc::new(one))
}

/// What stands in a row, if there still is one.
type Row = Arc<dyn Fn() -> Option<AnyView> + Send + Sync>;

/// The list without the type of its data: it is compiled once.
fn rows(keys: Box<dyn Fn() -> Vec<i64> + Send + Sync>, one: Arc<dyn Fn(i64) -> Row + Send + Sync>) -> AnyView {
    let keys = memo(move |_| keys());
    let one = move |k: i64| {
        let row = one(k);
        move || row()
    };
    view! { <For each=move || keys.get() key=|k| *k children=one/> }.into_any()
}
