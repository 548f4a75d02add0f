//! The document that was run: the plan at the task's own revision, or the file that could not become one.
//!
//! **Invariant:** it is what was run, not what the plan says today; what is wrong with it stands at its line.

use super::api::{TabData, TaskPage};
use super::show::tab_data;
use crate::components::{Blank, Icon};
use domain::task::TaskDocument;
use domain::{PlanId, Problem};
use leptos::prelude::*;
use std::collections::HashSet;

/// The document, read only.
#[component]
pub fn DocumentTab(data: Signal<TaskPage>) -> impl IntoView {
    let (plan, number) = data.with_untracked(|d| (d.task.plan.clone(), d.task.plan.revision));
    let found = tab_data(data, |t| match t {
        TabData::Plan(found) => Some(found.clone()),
        _ => None,
    });
    move || {
        let ended = data.with(|d| d.task.status.ended());
        found.get().map(|found| {
            let origin = origin(&plan.name, plan.id, number, &found);
            view! { {origin} {text(found, ended)} }
        })
    }
}

/// Why a task has no jobs: its file, with what is wrong with it.
#[component]
pub fn UnreadCard(data: Signal<TaskPage>) -> impl IntoView {
    let broken = crate::memo::memo(move |_| {
        data.with(|d| {
            let task = &d.task;
            let (path, problems) = match &d.tab {
                TabData::Plan(found) => (found.path.clone(), found.problems.clone()),
                _ => (None, Vec::new()),
            };
            let failed = task.jobs.is_empty() && task.status == domain::status::TaskStatus::Failed;
            failed.then(|| (task.reason.clone(), path, problems))
        })
    });
    move || {
        broken.get().map(|(reason, path, problems)| {
            // The sentence repeats the first problem, for lists and messages.
            let reason = reason.filter(|_| problems.is_empty());
            let (name, what) = match (path, problems.len()) {
                (Some(path), 1) => (path, "is no plan: one thing is wrong".to_owned()),
                (Some(path), n @ 2..) => (path, format!("is no plan: {n} things are wrong")),
                _ => (
                    "The plan".to_owned(),
                    "could not be read from its repository".to_owned(),
                ),
            };
            view! {
                <section class="fail fail-plain mt-5" aria-labelledby="why">
                    <div class="fail-head">
                        <h3 id="why">
                            <b class="font-[680]">{name}</b>
                            " "
                            {what}
                        </h3>
                        {reason.map(|why| view! { <p class="w-full text-table text-ink-2">{why}</p> })}
                        {(!problems.is_empty()).then(|| list(problems))}
                    </div>
                </section>
            }
        })
    }
}

fn list(problems: Vec<Problem>) -> impl IntoView {
    let items: Vec<_> = problems
        .into_iter()
        .map(|p| {
            let place = p.line.zip(p.column).map(|(line, column)| {
                view! {
                    <a class="alink num whitespace-nowrap shrink-0" href=format!("#document-{line}")>
                        "Line "
                        {line}
                        ", column "
                        {column}
                    </a>
                }
            });
            view! {
                <li class="flex gap-2">
                    {place} <span class="min-w-0">{p.message} {p.hint.map(|h| view! { " " <span class="text-ink-2">{h}</span> })}</span>
                </li>
            }
        })
        .collect();
    view! { <ol class="w-full grid gap-1 text-table">{items}</ol> }
}

fn origin(name: &str, id: PlanId, number: i64, found: &TaskDocument) -> impl IntoView + use<> {
    let (href, name) = (format!("/plans/{id}"), name.to_owned());
    let file = found.path.clone().map(|path| {
        let at = found.revision.as_ref().map(|r| r.chars().take(7).collect::<String>());
        view! {
            ", from "
            <code class="mono">{path}</code>
            {at.map(|at| view! { " at " <code class="mono">{at}</code> })}
        }
    });
    view! {
        <p class="text-table text-ink-2 py-3">
            <a class="alink" href=href>{name}</a>
            " at revision "
            {number}
            {file}
            "."
        </p>
    }
}

fn text(found: TaskDocument, ended: bool) -> AnyView {
    let Some(text) = found.text else {
        let (title, sentence) = match ended {
            true => ("No document", "There was none to read; the task says why."),
            false => ("Not read yet", "The file is being read from the repository."),
        };
        return view! { <Blank small=true title=title sentence=sentence/> }.into_any();
    };
    let wrong: HashSet<u32> = found.problems.iter().filter_map(|p| p.line).collect();
    let lines: Vec<_> = (1..)
        .zip(text.lines())
        .map(|(n, line)| {
            let bad = wrong.contains(&n);
            view! { <span id=bad.then(|| format!("document-{n}")) class:bad=bad>{line.to_owned()}</span> }
        })
        .collect();
    view! {
        <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Plan document">
            {(!wrong.is_empty()).then(|| view! { <p class="sr-only"><Icon name="circle-x"/>"Marked lines are wrong."</p> })}
            <pre class="ed">{lines}</pre>
        </div>
    }
    .into_any()
}
