//! The page as a whole: reads by the address, follows the news, puts the sections together.
//!
//! **Invariant:** rows keep their place while news come in.

use super::api::{AbortTask, RerunTask, get_queue};
use super::figures::{Figures, lead};
use super::filter::Filter;
use super::filter_bar::FilterBar;
use super::running::Running;
use super::tasks::Tasks;
use super::waiting::Waiting;
use crate::components::{ButtonKind, ErrorNote, Favicon, LinkButton, Loaded, Page, Sign};
use crate::layout::{IfMay, use_me};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use domain::queue::QueueView;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The acts of the page, shared by its rows.
#[derive(Clone, Copy)]
pub(super) struct Acts {
    pub abort: Deed<AbortTask>,
    pub rerun: Deed<RerunTask>,
    /// Whether the viewer may use them.
    pub may: Signal<bool>,
}

/// The queue page.
#[component]
pub fn QueueShow() -> impl IntoView {
    let query = use_query_map();
    let filter = memo(move |_| query.with(Filter::of));
    let me = use_me();
    let acts = Acts {
        abort: Deed::new(),
        rerun: Deed::new(),
        may: Signal::derive(move || me.get().and_then(Result::ok).is_some_and(|m| m.may(Action::Run))),
    };
    provide_context(acts);
    let fresh = RwSignal::new(0_u64);
    let queue = Source::new(
        move || (filter.get(), fresh.get(), acts.abort.version().get()),
        |(filter, _, _)| get_queue(filter),
    );
    let seq = Signal::derive(move || queue.get().and_then(Result::ok).map(|q| q.seq));
    let news = use_live(Topic::Queue, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=queue body=move |data| view! { <Body data filter/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<QueueView>, filter: Memo<Filter>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let figures = memo(move |_| data.with(|d| d.figures));
    let title = Signal::derive(move || match figures.get() {
        f if f.running + f.waiting == 0 => "Queue".to_owned(),
        f => format!("Queue · {} running, {} waiting", f.running, f.waiting),
    });
    let sign = Signal::derive(move || match figures.get() {
        f if f.running > 0 => Sign::Running,
        f if f.waiting > 0 => Sign::Waiting,
        _ => Sign::Plain,
    });
    let nothing_yet = memo(move |_| {
        filter.with(|f| f.in_use().is_empty() && f.cursor.is_empty())
            && data.with(|d| d.tasks.items.is_empty() && d.waiting.is_empty() && d.running.is_empty())
    });
    let primary = view! {
        <IfMay action=Action::Run>
            {move || {
                (!nothing_yet.get())
                    .then(|| {
                        view! {
                            <LinkButton href="/plans" kind=ButtonKind::Primary icon="play">
                                "Run a plan"
                            </LinkButton>
                        }
                    })
            }}
        </IfMay>
    };
    let failed = move || {
        acts.abort
            .error()
            .or_else(|| acts.rerun.error())
            .map(|error| view! { <ErrorNote error/> })
    };
    view! {
        <Favicon sign/>
        <Page
            title
            heading="Queue"
            lead=Signal::derive(move || lead(figures.get()))
            acts=primary.into_any()
        >
            {failed}
            <Figures figures/>
            <FilterBar filter figures/>
            {move || filter.with(Filter::shows_waiting).then(|| view! { <Waiting data filter/> })}
            {move || filter.with(Filter::shows_running).then(|| view! { <Running data filter/> })}
            {move || filter.with(Filter::shows_tasks).then(|| view! { <Tasks data filter nothing_yet/> })}
        </Page>
    }
    .into_any()
}
