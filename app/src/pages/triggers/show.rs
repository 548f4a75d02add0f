//! One trigger: what it waits for, how it is, what it sets, and what it decided.
//!
//! **Invariant:** what is wrong stands above everything else; verdict and page of its firings stand in the address.

use super::acts::{Acts, check, checked, fire, switch};
use super::api::get_trigger;
use super::firings::{Asked, FiringTable, VerdictTabs};
use super::hook::Hook;
use super::looks::{HealthMark, kind_icon};
use super::next::Next;
use super::settings::Settings;
use super::strip::Strip;
use super::trigger_of;
use super::view::TriggerPage;
use crate::components::{
    Blank, ButtonKind, Crumb, ErrorNote, Favicon, Icon, LinkButton, Loaded, Note, Page, Pager, Sign,
};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::Source;
use domain::auth::Action;
use domain::trigger::{HealthState, Kind};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The page of a trigger.
#[component]
pub fn TriggerShow() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let id = memo(move |_| params.with(trigger_of));
    let asked = memo(move |_| query.with(Asked::of));
    let acts = Acts::new();
    provide_context(acts);
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || {
            (
                id.get(),
                asked.get(),
                fresh.get(),
                acts.enable.version().get() + acts.check.version().get(),
            )
        },
        |(id, a, ..)| async move { get_trigger(id?, a.verdict, a.cursor).await },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=move |data| view! { <Body data asked/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<TriggerPage>, asked: Memo<Asked>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let (id, poll) = data.with_untracked(|d| (d.row.id, d.row.kind == Kind::Poll));
    let name = Signal::derive(move || data.with(|d| d.row.name.clone()));
    let unwell = memo(move |_| data.with(|d| d.row.health.state == HealthState::Unwell));
    let title = Signal::derive(move || match unwell.get() {
        true => format!("{} · unwell", name.get()),
        false => name.get(),
    });
    let sign = Signal::derive(move || if unwell.get() { Sign::Failed } else { Sign::Plain });
    let hooked = data.with_untracked(|d| d.hook.is_some());
    let buttons = view! {
        {hooked
            .then(|| {
                view! {
                    <LinkButton href=format!("/triggers/{id}/try") kind=ButtonKind::Ghost icon="list-checks">
                        "Try a payload"
                    </LinkButton>
                }
            })}
        <IfMay action=Action::Write>
            <LinkButton href=format!("/triggers/{id}/remove") kind=ButtonKind::Ghost icon="trash-2">
                "Remove"
            </LinkButton>
            <LinkButton href=format!("/triggers/new?from={id}") kind=ButtonKind::Ghost icon="copy">
                "Duplicate"
            </LinkButton>
            <LinkButton href=format!("/triggers/{id}/edit") kind=ButtonKind::Line icon="pencil">
                "Edit"
            </LinkButton>
        </IfMay>
        <IfMay action=Action::Run>{poll.then(|| check(id, acts.check))} {fire(id, acts.fire)}</IfMay>
    };
    let failed = move || {
        let error = acts.enable.error().or_else(|| acts.fire.error());
        let error = error.or_else(|| acts.check.error());
        error.map(|error| view! { <ErrorNote error/> })
    };
    let trigger = memo(move |_| data.with(|d| d.trigger.clone()));
    let repository = memo(move |_| data.with(|d| d.repository.clone()));
    let hook = memo(move |_| data.with(|d| d.hook.clone()));
    view! {
        <Favicon sign/>
        <Page title heading=name crumbs=vec![Crumb::new("Triggers", "/triggers")] acts=buttons.into_any()>
            {failed}
            {move || checked(acts.check)}
            <Head data/>
            <Facts data acts/>
            {move || hook.get().map(|hook| view! { <Hook hook/> })}
            {move || view! { <Settings trigger=trigger.get() repository=repository.get()/> }}
            <Firings data asked/>
        </Page>
    }
}

/// What makes it fire, and what is wrong.
#[component]
fn Head(data: Signal<TriggerPage>) -> impl IntoView {
    let head = memo(move |_| data.with(|d| (d.row.kind, d.row.condition.clone())));
    let wrong = memo(move |_| data.with(|d| Some(d.row.health.clone()).filter(|h| h.state == HealthState::Unwell)));
    view! {
        {move || {
            let (kind, condition) = head.get();
            view! {
                <h2 class="task-title">
                    <span class="text-ink-3 inline-flex" title=kind.as_str()>
                        <Icon name=kind_icon(kind) size=crate::components::IconSize::Large/>
                    </span>
                    <span>{condition}</span>
                </h2>
            }
        }}
        {move || {
            wrong
                .get()
                .map(|health| {
                    view! {
                        <div class="mt-4">
                            <Note icon="triangle-alert" tone="st-failed">
                                <span>"Somebody should look at it: " {health.said} {health.at.map(|at| view! { ", " <crate::components::Time at/> })} "."</span>
                            </Note>
                        </div>
                    }
                })
        }}
    }
}

#[component]
fn Facts(data: Signal<TriggerPage>, acts: Acts) -> impl IntoView {
    let row = memo(move |_| data.with(|d| d.row.clone()));
    let on = memo(move |_| row.with(|r| (r.id, r.name.clone(), r.enabled)));
    view! {
        <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-md:grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-4 mt-5">
            <dl class="kv content-start">
                <dt>"On"</dt>
                <dd>
                    {move || {
                        let (id, name, enabled) = on.get();
                        switch(id, &name, enabled, acts)
                    }}
                </dd>
                <dt>"Starts"</dt>
                <dd>
                    {move || row.with(|r| view! { <a class="alink" href=format!("/plans/{}", r.plan_id)>{r.plan.clone()}</a> })}
                </dd>
                <dt>"Next"</dt>
                <dd>
                    {move || {
                        let (next, now) = (row.with(|r| r.next.clone()), data.with_untracked(|d| d.now));
                        view! { <Next of=next now/> }
                    }}
                </dd>
            </dl>
            <dl class="kv content-start">
                <dt>"Health"</dt>
                <dd>
                    {move || match row.with(|r| r.health.clone()) {
                        health if health.state == HealthState::Off => "switched off".into_any(),
                        health => view! { <HealthMark health/> }.into_any(),
                    }}
                </dd>
                <dt>"30 days"</dt>
                <dd class="py-1">{move || view! { <Strip days=row.with(|r| r.days.clone())/> }}</dd>
            </dl>
        </div>
    }
}

/// What it decided.
#[component]
fn Firings(data: Signal<TriggerPage>, asked: Memo<Asked>) -> impl IntoView {
    let id = data.with_untracked(|d| d.row.id);
    let path = StoredValue::new(format!("/triggers/{id}"));
    let items = memo(move |_| data.with(|d| d.firings.items.clone()));
    let older = memo(move |_| {
        let a = asked.get();
        data.with(|d| {
            d.firings
                .next_cursor
                .as_deref()
                .map(|c| path.with_value(|p| a.page(p, c)))
        })
    });
    let newest = memo(move |_| asked.with(|a| (!a.cursor.is_empty()).then(|| path.with_value(|p| a.page(p, "")))));
    view! {
        <section class="sect" aria-labelledby="firings">
            <h2 id="firings">"Firings"</h2>
            <div class="filterbar mt-0!">
                <VerdictTabs path=path.get_value() asked/>
            </div>
            <Show
                when=move || items.with(|i| !i.is_empty())
                fallback=move || {
                    let (title, sentence) = match asked.with(|a| *a == Asked::default()) {
                        true => ("It has not fired yet", "Each time it is asked whether to start its plan, the answer stands here with its reasons."),
                        false => ("No firing is like that", "The other tabs have those that ended otherwise."),
                    };
                    view! { <Blank small=true title sentence/> }
                }
            >
                <FiringTable items of_one=true/>
                {move || view! { <Pager newest=newest.get() older=older.get()/> }}
            </Show>
        </section>
    }
}
