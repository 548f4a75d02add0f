//! The one shape of every page: read, then show, keep what is shown while reading again, and say what went wrong.
//!
//! **Invariant:** old data stays on screen while new data is on its way; a failed refresh does not blank the page.

use crate::components::{ErrorNote, ErrorView};
use crate::error::Error;
use crate::memo::memo;
use crate::wire::{Held, Source, Wire};
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What the good data looks like, whatever its type.
type Body = Arc<dyn Fn(Signal<Held>) -> AnyView + Send + Sync>;

/// Shows what a source holds. `body` runs once, with a signal that follows the data.
#[component]
pub fn Loaded<T>(
    /// What the page is about.
    of: Source<T>,
    /// Whether it is a part of a page: what goes wrong is then a notice in its place, not the page's answer.
    #[prop(optional)]
    part: bool,
    /// What it looks like.
    body: impl Fn(Signal<T>) -> AnyView + Copy + Send + Sync + 'static,
) -> AnyView
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static,
{
    let body = move |held: Signal<Held>| {
        // What cannot be read does not get here, but for data of another version of the page: nothing is shown then.
        let Ok(first) = held.get_untracked().get::<T>() else {
            let error = Error::Transport("the page is older than the server; load it again".into());
            return view! { <ErrorNote error/> }.into_any();
        };
        let last = memo(move |last: Option<&T>| {
            held.get()
                .get()
                .unwrap_or_else(|_| last.cloned().unwrap_or_else(|| first.clone()))
        });
        body(last.into())
    };
    view! {
        <Transition>
            <Split of=of.held() part body=Arc::new(body) as Body/>
        </Transition>
    }
    .into_any()
}

/// Stands inside the `Transition`, so that what it reads is waited for there.
#[component]
fn Split(of: Resource<Held, Wire>, part: bool, body: Body) -> impl IntoView {
    // Awaited, not only read: while the server renders on several threads, a memo of a resource can be an instant behind it.
    Suspend::new(async move {
        let awaited = of.await;
        split(of, awaited, part, body)
    })
}

fn split(of: Resource<Held, Wire>, awaited: Held, part: bool, body: Body) -> impl IntoView {
    let good = |held: &Held| held.error().is_none();
    let refused = awaited.error().cloned();
    let first = Some(awaited).filter(good);
    // The last good data; an error only shows where there has been none.
    let data = memo(move |last: Option<&Option<Held>>| match of.get() {
        Some(fresh) if good(&fresh) => Some(fresh),
        _ => last.cloned().flatten().or_else(|| first.clone()),
    });
    let state = memo(move |_| match (data.with(Option::is_some), of.get()) {
        (true, _) => Some(Ok(())),
        (false, Some(held)) => held.error().cloned().map(Err::<(), Error>),
        (false, None) => refused.clone().map(Err),
    });
    move || {
        state.get().map(|s| match s {
            Ok(()) => {
                // `state` says that there is data, and data once there stays.
                data.get_untracked().map(|first| {
                    let last = Signal::derive(move || data.get().unwrap_or_else(|| first.clone()));
                    body(last)
                })
            }
            Err(error) if part => Some(view! { <ErrorNote error/> }.into_any()),
            Err(error) => Some(view! { <ErrorView error/> }.into_any()),
        })
    }
}
