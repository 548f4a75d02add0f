//! The tasks of one plan, newest first.
//!
//! **Invariant:** passing is quiet, failing says what broke in its own words.

use super::view::{PlanPage, TaskRow};
use crate::address::address;
use crate::components::{Blank, CauseLine, Elapsed, Look, Pager, Rows, RunBars, Status, Time, Took};
use crate::memo::memo;
use domain::{PlanId, Timestamp};
use leptos::prelude::*;

/// The section of tasks.
#[component]
pub fn Tasks(
    /// The page's data.
    data: Signal<PlanPage>,
    /// The cursor in the address; empty on the newest page.
    cursor: Memo<String>,
) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.tasks.items.clone()));
    let recent = memo(move |_| data.with(|d| (d.plan.name.clone(), d.plan.recent.clone())));
    let path = move || data.with(|d| plan_path(d.plan.id));
    let older = memo(move |_| {
        data.with(|d| {
            d.tasks
                .next_cursor
                .as_deref()
                .map(|c| address(&path(), [("cursor", c)]))
        })
    });
    let newest = memo(move |_| cursor.with(|c| (!c.is_empty()).then(path)));
    let now = Signal::derive(move || data.with(|d| d.now));
    view! {
        <section class="sect" aria-labelledby="tasks">
            <div class="sect-head">
                <h2 id="tasks">"Tasks"</h2>
                <span class="aside desk">"newest first"</span>
            </div>
            {move || {
                let (plan, tasks) = recent.get();
                (tasks.len() > 1)
                    .then(|| {
                        view! {
                            <div class="py-3">
                                <RunBars tasks plan/>
                            </div>
                        }
                    })
            }}
            <Show
                when=move || items.with(|i| !i.is_empty())
                fallback=|| {
                    view! {
                        <Blank
                            small=true
                            title="It has not run yet"
                            sentence="Each run is a task: with its own snapshot of the plan, its own commit and its own console."
                        />
                    }
                }
            >
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Status"</th>
                            <th scope="col">"Task"</th>
                            <th scope="col">"What happened"</th>
                            <th class="c-late" scope="col">"Commit"</th>
                            <th scope="col">"Created"</th>
                            <th class="num" scope="col">"Took"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|t: &TaskRow| t.id.0 row=move |t| row(t, now.get_untracked())/>
                    </tbody>
                </table>
                {move || view! { <Pager newest=newest.get() older=older.get()/> }}
            </Show>
        </section>
    }
}

fn plan_path(id: PlanId) -> String {
    format!("/plans/{id}")
}

fn row(t: TaskRow, now: Timestamp) -> AnyView {
    let took = match (t.started_at, t.finished_at) {
        (Some(from), Some(to)) => Some(view! { <Took ms=to.since(from)/> }.into_any()),
        (Some(since), None) => Some(view! { <Elapsed since now/> }.into_any()),
        _ => None,
    };
    let (first, second) = match t.reason {
        Some(reason) => (view! { <span>{reason}</span> }.into_any(), t.message),
        None => (
            view! { <span class="text-ink-2">{t.message}</span> }.into_any(),
            String::new(),
        ),
    };
    let commit = t.revision.as_deref().map(|r| r.get(..9).unwrap_or(r).to_owned());
    view! {
        <tr role="row">
            <td role="cell" class="c-side min-[900px]:w-28">
                <Status look=Look::task(t.status, t.desired)/>
            </td>
            <td role="cell" class="c-main min-[900px]:w-[24%]">
                <span class="t1">
                    <a href=format!("/tasks/{}", t.id)>"#"{t.id.0}</a>
                </span>
                <CauseLine branch=t.branch cause=t.cause/>
            </td>
            <td role="cell" class="c-wide">
                {first} {(!second.is_empty()).then(|| view! { <span class="t2">{second}</span> })}
            </td>
            <td role="cell" class="c-hide c-late whitespace-nowrap">
                {commit.map(|c| view! { <span class="mono text-ink-3" title=t.revision>{c}</span> })}
            </td>
            <td role="cell" class="text-ink-3 c-cell whitespace-nowrap">
                <Time at=t.created_at/>
            </td>
            <td role="cell" class="num text-ink-2 c-cell">{took}</td>
        </tr>
    }
    .into_any()
}
