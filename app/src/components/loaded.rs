//! The one shape of every page: read, then show, keep what is shown while reading again, and say what went wrong.
//!
//! **Invariant:** old data stays on screen while new data is on its way; a failed refresh does not blank the page.

use crate::components::{ErrorNote, ErrorView};
use crate::error::{Error, Result};
use leptos::prelude::*;

/// Shows what a resource holds. `body` runs once, with a signal that follows the data.
#[component]
pub fn Loaded<T>(
    /// What the page is about.
    of: Resource<Result<T>>,
    /// Whether it is a part of a page: what goes wrong is then a notice in its place, not the page's answer.
    #[prop(optional)]
    part: bool,
    /// What it looks like.
    body: impl Fn(Signal<T>) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    view! {
        <Transition>
            <Split of part body/>
        </Transition>
    }
}

/// Stands inside the `Transition`, so that what it reads is waited for there.
#[component]
fn Split<T>(
    of: Resource<Result<T>>,
    part: bool,
    body: impl Fn(Signal<T>) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    // Awaited, not only read: while the server renders on several threads, a memo of a resource can be an instant behind it.
    Suspend::new(async move {
        let awaited = of.await;
        split(of, awaited, part, body)
    })
}

fn split<T>(
    of: Resource<Result<T>>,
    awaited: Result<T>,
    part: bool,
    body: impl Fn(Signal<T>) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let (first, refused) = match awaited {
        Ok(first) => (Some(first), None),
        Err(e) => (None, Some(e)),
    };
    // The last good data; an error only shows where there has been none.
    let data = Memo::new(move |held: Option<&Option<T>>| match of.get() {
        Some(Ok(fresh)) => Some(fresh),
        _ => held.cloned().flatten().or_else(|| first.clone()),
    });
    let state = Memo::new(move |_| match (data.with(Option::is_some), of.get()) {
        (true, _) => Some(Ok(())),
        (false, Some(Err(e))) => Some(Err::<(), Error>(e)),
        (false, _) => refused.clone().map(Err),
    });
    move || {
        state.get().map(|s| match s {
            Ok(()) => {
                // `state` says that there is data, and data once there stays.
                data.get_untracked().map(|first| {
                    let last = Memo::new(move |held: Option<&T>| {
                        data.get().or_else(|| held.cloned()).unwrap_or_else(|| first.clone())
                    });
                    body(last.into())
                })
            }
            Err(error) if part => Some(view! { <ErrorNote error/> }.into_any()),
            Err(error) => Some(view! { <ErrorView error/> }.into_any()),
        })
    }
}
