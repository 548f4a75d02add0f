//! The page as a whole: reads by the address, follows the task, puts the parts together.
//!
//! **Invariant:** news refresh the task around the console, never the console's own lines.

use super::api::{ApproveTask, TabData, TaskPage, get_task};
use super::approval::Approval;
use super::attempts::AttemptsTab;
use super::console::Console;
use super::document::{DocumentTab, UnreadCard};
use super::events::EventsTab;
use super::facts::{Acts, Facts, Title};
use super::failure_card::FailureCard;
use super::tabs::Tabs;
use super::told::Told;
use super::tree::Tree;
use super::wish::{Tab, Wish};
use crate::Error;
use crate::components::{Crumb, ErrorNote, Favicon, Icon, Loaded, Look, Note, Page, Sign};
use crate::layout::use_me;
use crate::live::{Topic, use_live_when};
use crate::memo::memo;
use crate::pages::queue::api::{AbortTask, RerunTask};
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// What the page can do.
#[derive(Clone, Copy)]
pub(super) struct Doing {
    pub abort: Deed<AbortTask>,
    pub rerun: Deed<RerunTask>,
    pub approve: Deed<ApproveTask>,
    /// Whether the viewer may use them.
    pub may: Signal<bool>,
}

/// The page of a task.
#[component]
pub fn TaskShow() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let wish = memo(move |_| params.with(|p| query.with(|q| Wish::of(p, q))));
    let me = use_me();
    let doing = Doing {
        abort: Deed::new(),
        rerun: Deed::new(),
        approve: Deed::new(),
        may: Signal::derive(move || me.get().and_then(Result::ok).is_some_and(|m| m.may(Action::Run))),
    };
    provide_context(doing);
    let news_read = RwSignal::new(0_u64);
    // What was read last: the same again is a refresh, which leaves out the console's lines.
    let known = StoredValue::new(None::<Wish>);
    let page = Source::new(
        move || {
            let done = doing.abort.version().get() + doing.approve.version().get();
            (wish.get(), news_read.get(), done)
        },
        move |(wish, ..)| {
            let fresh = known.with_value(|k| k.as_ref() == Some(&wish));
            known.set_value(Some(wish.clone()));
            async move {
                let word = wish.word().to_owned();
                let task = wish
                    .task
                    .map_err(|id| Error::Domain(domain::Error::NotFound(format!("Task {id}"))))?;
                get_task(task, wish.step, wish.from, word, fresh).await
            }
        },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let topic = Signal::derive(move || wish.with(|w| w.task.as_ref().ok().map(|id| Topic::Task(*id))));
    let news = use_live_when(topic, seq);
    Effect::new(move || news_read.set(news.get()));
    view! { <Loaded of=page body=move |data| view! { <Body data wish/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<TaskPage>, wish: Memo<Wish>) -> impl IntoView {
    let doing = expect_context::<Doing>();
    let (plan, id) = data.with_untracked(|d| (d.task.plan.clone(), d.task.id));
    let crumbs = vec![
        Crumb::new("Plans", "/plans"),
        Crumb::new(plan.name.clone(), format!("/plans/{}", plan.id)),
    ];
    let look = memo(move |_| data.with(|d| Look::task(d.task.status, d.task.desired)));
    let name = plan.name;
    let title = Signal::derive(move || format!("{} · {name} #{id}", look.get().word));
    let sign = Signal::derive(move || data.with(|d| Sign::from(d.task.status)));
    let acts = view! { <Acts data/> }.into_any();
    let failed = move || {
        doing
            .abort
            .error()
            .or_else(|| doing.rerun.error())
            .or_else(|| doing.approve.error())
            .map(|error| view! { <ErrorNote error/> })
    };
    let waits = memo(move |_| {
        data.with(|d| {
            d.task
                .reason
                .clone()
                .filter(|_| !d.task.status.ended() && d.failure.is_none() && !d.task.awaits_approval)
        })
    });
    let tab = memo(move |_| wish.with(|w| w.tab));
    let body = move || match tab.get() {
        Tab::Steps => view! { <Steps data wish/> }.into_any(),
        Tab::Plan => view! { <DocumentTab data/> }.into_any(),
        Tab::Events => view! { <EventsTab data/> }.into_any(),
        Tab::Attempts => view! { <AttemptsTab data/> }.into_any(),
    };
    view! {
        <Favicon sign/>
        <Page title heading=format!("#{id}") crumbs acts>
            {failed} <Title data look/> <Facts data/> <Told data/>
            {move || {
                waits
                    .get()
                    .map(|sentence| {
                        view! {
                            <p class="reason mt-4">
                                <Icon name="hourglass"/>
                                <span>{sentence}</span>
                            </p>
                        }
                    })
            }} <Approval data/> <FailureCard data/> <UnreadCard data/> <Tabs data tab/> {body}
        </Page>
    }
}

/// Jobs and steps beside the console of one of them.
#[component]
fn Steps(data: Signal<TaskPage>, wish: Memo<Wish>) -> impl IntoView {
    let step = memo(move |_| data.with(|d| d.step));
    // A step chosen anew is another console; so is another place in it.
    let place = memo(move |_| (step.get(), wish.with(|w| w.from)));
    let console = move || {
        let (step, from) = place.get();
        step.map(|step| {
            let shown = data.with_untracked(|d| d.shown.clone().filter(|s| s.tail == from.is_none()));
            view! { <Console data step from shown/> }
        })
    };
    let none = move || {
        step.get().is_none().then(
            || view! { <p class="text-ink-3 py-8">"This task has no steps yet: its plan is still being read."</p> },
        )
    };
    // Without jobs there is nothing to look at but why: the document that should have had them.
    let jobless = memo(move |_| data.with(|d| d.task.jobs.is_empty() && d.task.status.ended()));
    move || match jobless.get() {
        true => view! { <DocumentTab data/> }.into_any(),
        false => view! {
            <div class="work">
                <Tree data step/>
                <div class="min-w-0"><PastNote data/> {console} {none}</div>
            </div>
        }
        .into_any(),
    }
}

/// Says that it is an earlier attempt that is looked at.
#[component]
fn PastNote(data: Signal<TaskPage>) -> impl IntoView {
    let past = memo(move |_| data.with(|d| d.past.clone().map(|p| (d.task.id, p))));
    move || {
        past.get().map(|(task, p)| {
            let reason = p.reason.map(|r| view! { " "{r} });
            view! {
                <Note icon="rotate-cw">
                    <p>
                        {format!("This is attempt {} of {}.", p.number, p.job)}
                        {reason}
                        " "
                        <a class="alink" href=format!("/tasks/{task}")>{format!("Attempt {} followed", p.current)}</a>
                        "."
                    </p>
                </Note>
            }
        })
    }
}

/// The tab's data, when it is this tab's.
pub(super) fn tab_data<T: Clone + PartialEq + Send + Sync + 'static>(
    data: Signal<TaskPage>,
    pick: fn(&TabData) -> Option<T>,
) -> Memo<Option<T>> {
    // While another tab's data is on its way, what there was stays.
    memo(move |held: Option<&Option<T>>| data.with(|d| pick(&d.tab)).or_else(|| held.cloned().flatten()))
}
