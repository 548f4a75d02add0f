//! What runs on an agent and ran there, newest first.
//!
//! **Invariant:** a task that ran on several agents is shown on each of them.

use super::api::{AgentPage, RanRow};
use crate::address::address;
use crate::components::{Blank, CauseLine, Elapsed, Look, Rows, Status, TaskName, Time, Took};
use crate::memo::memo;
use domain::Timestamp;
use leptos::prelude::*;

/// The section.
#[component]
pub fn Ran(data: Signal<AgentPage>) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.tasks.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let all = move || data.with(|d| address("/", [("agent", d.agent.name.as_str())]));
    view! {
        <section class="sect" aria-labelledby="ran">
            <div class="sect-head">
                <h2 id="ran">"Runs and ran"</h2>
                <a class="aside alink" href=all>"in the queue"</a>
            </div>
            <Show
                when=move || items.with(|i| !i.is_empty())
                fallback=|| {
                    view! {
                        <Blank
                            small=true
                            title="Nothing ran here yet"
                            sentence="Jobs whose conditions this agent meets are placed on it as soon as a slot is free."
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
                            <th scope="col">"Created"</th>
                            <th class="num" scope="col">"Took"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|t: &RanRow| t.id.0 row=move |t| row(t, now.get_untracked())/>
                    </tbody>
                </table>
            </Show>
        </section>
    }
}

fn row(t: RanRow, now: Timestamp) -> AnyView {
    let took = match (t.started_at, t.finished_at) {
        (Some(from), Some(to)) => Some(view! { <Took ms=to.since(from)/> }.into_any()),
        (Some(since), None) => Some(view! { <Elapsed since now/> }.into_any()),
        _ => None,
    };
    view! {
        <tr role="row">
            <td role="cell" class="c-side min-[900px]:w-28">
                <Status look=Look::task(t.status, t.desired)/>
            </td>
            <td role="cell" class="c-main min-[900px]:w-[34%]">
                <TaskName task=t.id plan=t.plan/>
                <CauseLine branch=t.branch cause=t.cause/>
            </td>
            <td role="cell" class="c-wide">{t.reason}</td>
            <td role="cell" class="text-ink-3 c-cell whitespace-nowrap">
                <Time at=t.created_at/>
            </td>
            <td role="cell" class="num text-ink-2 c-cell">{took}</td>
        </tr>
    }
    .into_any()
}
