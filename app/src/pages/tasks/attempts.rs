//! Every attempt of every job: what was tried, where, how it ended, and the way to its console.
//!
//! **Invariant:** newest first; each attempt that wrote something links to what it wrote.

use super::api::{TabData, TaskPage};
use super::console::size;
use super::past::step_of;
use super::show::tab_data;
use super::wish::step_address;
use crate::components::{Status, Time, Took};
use domain::TaskId;
use domain::task::AttemptView;
use leptos::prelude::*;

/// The table of attempts.
#[component]
pub fn AttemptsTab(data: Signal<TaskPage>) -> impl IntoView {
    let all = tab_data(data, |t| match t {
        TabData::Attempts(a) => Some(a.clone()),
        _ => None,
    });
    let task = data.with_untracked(|d| d.task.id);
    move || {
        all.get().map(|jobs| {
            let rows: Vec<_> = jobs
                .into_iter()
                .flat_map(|(id, attempts)| {
                    let name = data
                        .with(|d| d.task.jobs.iter().find(|j| j.id == id).map(|j| j.name.clone()))
                        .unwrap_or_default();
                    attempts.into_iter().map(move |a| row(task, name.clone(), a))
                })
                .collect();
            view! {
                <table class="data stack mt-3" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Job"</th>
                            <th class="num" scope="col">"Attempt"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Agent"</th>
                            <th scope="col">"Handed out"</th>
                            <th class="num" scope="col">"Took"</th>
                            <th scope="col">"Output"</th>
                            <th scope="col">"Why"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            }
        })
    }
}

fn row(task: TaskId, job: String, a: AttemptView) -> impl IntoView {
    let took = a
        .assigned_at
        .zip(a.finished_at)
        .map(|(from, to)| view! { <Took ms=to.since(from)/> });
    let how = a
        .executor
        .map(|e| view! { <span class="text-ink-3">" "{e.as_str()}</span> });
    let agent = a.agent.clone().map(|g| {
        view! { <a class="alink" href=format!("/agents#agent-{}", g.id)>{g.name}</a> }
    });
    let output = step_of(&a).map(|step| {
        let words = match a.console_bytes {
            0 => "Console".to_owned(),
            n => size(n),
        };
        view! { <a class="alink" href=step_address(task, step, None)>{words}</a> }
    });
    let gaps = (a.gaps > 0).then(|| {
        let words = if a.gaps == 1 { "1 gap".to_owned() } else { format!("{} gaps", a.gaps) };
        view! { <span class="chip st-lost" title="Bytes are missing there; the console says where and why.">{words}</span> }
    });
    // While it is held, what counts is until when; afterwards, what became of it.
    let lease = a.lease_until.filter(|_| a.finished_at.is_none()).map(|until| {
        view! { "Held until " <Time at=until seconds=true/> ", longer with every heartbeat." }
    });
    view! {
        <tr role="row">
            <td role="cell" class="c-main font-[560]">{job}</td>
            <td role="cell" class="num">{a.number}</td>
            <td role="cell" class="c-side"><Status look=(a.status, a.outcome)/></td>
            <td role="cell">{agent}{how}</td>
            <td role="cell">{a.assigned_at.map(|at| view! { <Time at seconds=true/> })}</td>
            <td role="cell" class="num">{took}</td>
            <td role="cell">{output} " " {gaps}</td>
            <td role="cell" class="c-wide text-ink-2">{a.reason} {lease}</td>
        </tr>
    }
}
