//! Every attempt of every job: what was tried, where, and how it ended.
//!
//! **Invariant:** newest first; the current attempt is the one whose console the steps show.

use super::api::{TabData, TaskPage};
use super::show::tab_data;
use crate::components::{Status, Time, Took};
use domain::task::AttemptView;
use leptos::prelude::*;

/// The table of attempts.
#[component]
pub fn AttemptsTab(data: Signal<TaskPage>) -> impl IntoView {
    let all = tab_data(data, |t| match t {
        TabData::Attempts(a) => Some(a.clone()),
        _ => None,
    });
    move || {
        all.get().map(|jobs| {
            let rows: Vec<_> = jobs
                .into_iter()
                .flat_map(|(id, attempts)| {
                    let name = data
                        .with(|d| d.task.jobs.iter().find(|j| j.id == id).map(|j| j.name.clone()))
                        .unwrap_or_default();
                    attempts.into_iter().map(move |a| row(name.clone(), a))
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
                            <th scope="col">"Began"</th>
                            <th class="num" scope="col">"Took"</th>
                            <th scope="col">"Why"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            }
        })
    }
}

fn row(job: String, a: AttemptView) -> impl IntoView {
    let took = a
        .started_at
        .zip(a.finished_at)
        .map(|(from, to)| view! { <Took ms=to.since(from)/> });
    view! {
        <tr role="row">
            <td role="cell" class="c-main font-[560]">{job}</td>
            <td role="cell" class="num">{a.number}</td>
            <td role="cell" class="c-side"><Status look=(a.status, a.outcome)/></td>
            <td role="cell">{a.agent.map(|g| g.name)}</td>
            <td role="cell">{a.assigned_at.map(|at| view! { <Time at seconds=true/> })}</td>
            <td role="cell" class="num">{took}</td>
            <td role="cell" class="c-wide text-ink-2">{a.reason}</td>
        </tr>
    }
}
