//! Jobs and their steps, live; each step a link to its console.
//!
//! **Invariant:** a job stays open or closed as the reader left it while states change around it.

use super::api::TaskPage;
use super::select;
use super::wish::step_address;
use crate::components::{Elapsed, Look, StatusIcon};
use crate::memo::memo;
use domain::status::{JobStatus, StepKind, StepStatus};
use domain::task::{JobView, StepView};
use domain::time::human_duration;
use domain::{JobId, StepId, TaskId, Timestamp};
use leptos::prelude::*;

/// The tree.
#[component]
pub fn Tree(data: Signal<TaskPage>, step: Memo<Option<StepId>>) -> impl IntoView {
    let task = data.with_untracked(|d| d.task.id);
    let ids = memo(move |_| data.with(|d| d.task.jobs.iter().map(|j| j.id).collect::<Vec<_>>()));
    let only = memo(move |_| ids.with(|i| i.len() == 1));
    let one = move |id: JobId| {
        let job = memo(move |_| data.with(|d| d.task.jobs.iter().find(|j| j.id == id).cloned().map(|j| (j, d.now))));
        // Open where there is something to see: what failed, what runs, what is looked at.
        let open = job.with_untracked(|j| {
            j.as_ref().is_some_and(|(j, _)| {
                only.get_untracked()
                    || !matches!(j.status, JobStatus::Passed | JobStatus::Pending)
                    || select::steps(j).any(|s| step.get_untracked() == Some(s.id))
            })
        });
        view! {
            <details prop:open=open open=open>
                <summary>{move || job.get().map(|(j, now)| summary(&j, now))}</summary>
                {move || job.get().map(|(j, now)| list(task, &j, step, now))}
            </details>
        }
    };
    view! {
        <nav class="tree" aria-label="Jobs and steps">
            <For each=move || ids.get() key=|id| *id children=one/>
        </nav>
    }
}

fn summary(j: &JobView, now: Timestamp) -> impl IntoView + use<> {
    let nth = (j.attempt > 1).then(|| {
        let word = match j.attempt {
            2 => "2nd".to_owned(),
            3 => "3rd".to_owned(),
            n => format!("{n}th"),
        };
        view! { <span class="chip" title=format!("attempt {}", j.attempt)>{word}</span> }
    });
    view! {
        <svg class="i twist" aria-hidden="true">
            <use_ href="/icons.svg#i-chevron-right"></use_>
        </svg>
        <StatusIcon look=j.status/>
        <span class="trunc">{j.name.clone()}</span>
        {nth}
        {duration(j.started_at, j.finished_at, now)}
    }
}

fn duration(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> impl IntoView + use<> {
    let text = match (from, to) {
        (Some(from), Some(to)) => human_duration(to.since(from)).into_any(),
        (Some(since), None) => view! { <Elapsed since now/> }.into_any(),
        _ => ().into_any(),
    };
    view! { <span class="dur">{text}</span> }
}

fn list(task: TaskId, j: &JobView, chosen: Memo<Option<StepId>>, now: Timestamp) -> impl IntoView + use<> {
    let begun = select::steps(j).any(|s| s.started_at.is_some());
    let why = j.reason.clone().filter(|_| !begun || j.status == JobStatus::Pending);
    let items: Vec<_> = select::steps(j)
        // What was never asked of a job that did not run says nothing.
        .filter(|s| s.kind == StepKind::Step || s.status != StepStatus::Pending || !j.status.ended())
        .map(|s| item(task, s, chosen, now))
        .collect();
    view! {
        <ul>
            {why.map(|why| view! { <li class="text-small text-ink-3 ps-8 py-1 pe-2">{why}</li> })}
            {items}
        </ul>
    }
}

fn item(task: TaskId, s: &StepView, chosen: Memo<Option<StepId>>, now: Timestamp) -> impl IntoView + use<> {
    let id = s.id;
    let note = (s.allow_failure && s.status == StepStatus::Failed).then_some("may fail");
    view! {
        <li>
            <a
                href=step_address(task, id, None)
                class:aside=s.kind != StepKind::Step
                aria-current=move || (chosen.get() == Some(id)).then_some("true")
                data-noscroll=""
            >
                <StatusIcon look=Look::from(s.status)/>
                <span class="trunc">{s.name.clone()}</span>
                {note.map(|n| view! { <span class="chip">{n}</span> })}
                {duration(s.started_at, s.finished_at, now)}
            </a>
        </li>
    }
}
