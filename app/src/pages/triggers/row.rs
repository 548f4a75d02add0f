//! Triggers as rows of a table, the same on the list and on a plan's page.
//!
//! **Invariant:** a row's menu is made once, so it stays open while the rest of the row follows the news.

use super::acts::{Acts, menu, switch};
use super::looks::{HealthMark, because, firing_look, kind_icon, task_words, ticked};
use super::next::Next;
use super::strip::Strip;
use super::view::TriggerRow;
use crate::components::{Icon, Rows, StatusIcon, Time};
use crate::memo::memo;
use domain::trigger::{HealthState, LastFiring};
use domain::{Timestamp, TriggerId};
use leptos::prelude::*;

/// What a row is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    id: TriggerId,
    name: String,
}

/// The table. `of_plan`: all are of one plan, which is then left out.
#[component]
pub fn Table(
    /// The triggers.
    items: Memo<Vec<TriggerRow>>,
    /// The server's time when they were read.
    now: Signal<Timestamp>,
    /// What can be done with them.
    acts: Acts,
    /// Whether all are of one plan, on its page.
    #[prop(optional)]
    of_plan: bool,
) -> impl IntoView {
    let shown = memo(move |_| {
        let one = |t: &TriggerRow| Shown {
            id: t.id,
            name: t.name.clone(),
        };
        items.with(|all| all.iter().map(one).collect::<Vec<_>>())
    });
    view! {
        <table class="data stack" role="table">
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col">"Fires"</th>
                    {(!of_plan).then(|| view! { <th scope="col">"Plan"</th> })}
                    <th scope="col">"Last fired"</th>
                    <th scope="col">"Next"</th>
                    <th class="c-late" scope="col">"30 days"</th>
                    <th scope="col">"Health"</th>
                    <th scope="col">"On"</th>
                    <th scope="col"><span class="sr-only">"Actions"</span></th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                <Rows items=shown key=|s: &Shown| s.id.0 row=move |s| row(&s, items, now, acts, of_plan)/>
            </tbody>
        </table>
    }
    .into_any()
}

fn row(shown: &Shown, items: Memo<Vec<TriggerRow>>, now: Signal<Timestamp>, acts: Acts, of_plan: bool) -> AnyView {
    let id = shown.id;
    let trigger = memo(move |last: Option<&Option<TriggerRow>>| {
        let found = items.with(|all| all.iter().find(|t| t.id == id).cloned());
        found.or_else(|| last.cloned().flatten())
    });
    view! {
        <tr role="row" id=format!("trigger-{id}")>
            {move || trigger.get().map(|t| cells(t, now.get_untracked(), acts, of_plan))}
            <td role="cell" class="c-hide text-end min-[900px]:w-6">{menu(id, &shown.name, acts)}</td>
        </tr>
    }
    .into_any()
}

fn cells(t: TriggerRow, now: Timestamp, acts: Acts, of_plan: bool) -> AnyView {
    let kind = t.kind.as_str();
    let class = match (t.enabled, of_plan) {
        (true, _) => "",
        (false, _) => "text-ink-3",
    };
    // On a phone only what a person must look into has a line of its own.
    let health = match t.health.state {
        HealthState::Unwell => "c-wide max-[899px]:ps-[26px]",
        _ => "c-hide",
    };
    let last = t
        .last
        .map(last)
        .unwrap_or_else(|| view! { <span class="text-ink-3">"has not fired yet"</span> }.into_any());
    view! {
        <td role="cell" class="c-main min-[900px]:w-[28%]">
            <div class="flex gap-2.5">
                <span class="text-ink-3 inline-flex pt-0.5" title=kind>
                    <Icon name=kind_icon(t.kind)/>
                </span>
                <div class="min-w-0">
                    <span class="t1">
                        <a class=class href=format!("/triggers/{}", t.id)>{t.condition}</a>
                    </span>
                    <span class="t2">
                        {kind}
                        <span class="sep">"·"</span>
                        <span class="trunc">{t.name.clone()}</span>
                    </span>
                </div>
            </div>
        </td>
        {(!of_plan)
            .then(|| {
                view! {
                    <td role="cell" class="c-wide max-[899px]:ps-[26px]">
                        <a class="hover:underline trunc block min-[900px]:max-w-40" href=format!("/plans/{}", t.plan_id) title=t.plan.clone()>
                            {t.plan.clone()}
                        </a>
                    </td>
                }
            })}
        <td role="cell" class="c-wide max-[899px]:ps-[26px] min-[900px]:w-[22%]">{last}</td>
        <td role="cell" class="c-wide max-[899px]:ps-[26px]" data-label="Next:">
            <Next of=t.next now/>
        </td>
        <td role="cell" class="c-hide c-late align-middle!">
            <Strip days=t.days/>
        </td>
        <td role="cell" class=health>
            <HealthMark health=t.health/>
        </td>
        <td role="cell" class="c-side min-[900px]:w-9">{switch(t.id, &t.name, t.enabled, acts)}</td>
    }
    .into_any()
}

/// A firing in two lines: what came of it, when and why.
fn last(f: LastFiring) -> AnyView {
    let look = firing_look(f.verdict, f.task.as_ref());
    let firing = format!("/firings/{}", f.id);
    let what = match &f.task {
        Some(task) => view! { <a class="alink" href=format!("/tasks/{}", task.id)>{task_words(task)}</a> }.into_any(),
        None => view! { <a class="alink" href=firing.clone()>{look.word}</a> }.into_any(),
    };
    let why = f
        .reason
        .as_deref()
        .filter(|_| f.task.is_none())
        .map(|r| view! { ", " {ticked(because(r))} });
    view! {
        <span class="inl gap-1.5!">
            <StatusIcon look/>
            {what}
        </span>
        <span class="block text-small text-ink-3 wrap-anywhere">
            <a class="hover:underline inline-block py-px" href=firing>
                <Time at=f.at/>
            </a>
            {why}
        </span>
    }
    .into_any()
}
