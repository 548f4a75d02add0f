//! What runs: the step it is at, how long it has taken against how long it usually takes, and where.
//!
//! **Invariant:** a job that is being aborted says so and cannot be aborted again.

use super::filter::Filter;
use super::show::Acts;
use super::waiting::Abort;
use crate::components::{Blank, CauseLine, Icon, Look, Rows, StatusIcon, TaskName, UsualBar};
use crate::memo::memo;
use domain::Timestamp;
use domain::queue::{QueueView, RunningItem};
use domain::status::JobStatus;
use leptos::prelude::*;

/// The section of running jobs.
#[component]
pub fn Running(data: Signal<QueueView>, filter: Memo<Filter>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let items = memo(move |_| {
        let f = filter.get();
        data.with(|d| {
            d.running
                .iter()
                .filter(|i| f.takes_running(i))
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let count = memo(move |_| items.with(Vec::len));
    let usual = memo(move |_| items.with(|all| all.iter().any(|i| i.usual_ms.is_some())));
    let alone = memo(move |_| filter.with(|f| !f.shows_tasks()));
    let now = Signal::derive(move || data.with(|d| d.now));
    view! {
        <Show
            when=move || { count.get() > 0 }
            fallback=move || {
                alone.get().then(|| {
                    view! {
                        <Blank title="Nothing runs" sentence="Jobs stand here from the moment an agent has them until their last byte is stored."/>
                    }
                })
            }
        >
            <section class="sect" aria-labelledby="running">
                <div class="sect-head">
                    <h2 id="running">"Running"</h2>
                    <span class="n">{count}</span>
                    <span class="aside desk">
                        {move || usual.get().then_some("the mark on the bar is the usual duration")}
                    </span>
                </div>
                <table class="data stack" role="table">
                    <thead class="sr-only" role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Status"</th>
                            <th scope="col">"Task"</th>
                            <th scope="col">"Now"</th>
                            <th scope="col">"Elapsed"</th>
                            <th scope="col">"Agent"</th>
                            <th scope="col">"Actions"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|i: &RunningItem| i.job_id.0 row=move |i| row(i, now.get_untracked(), acts)/>
                    </tbody>
                </table>
            </section>
        </Show>
    }
    .into_any()
}

fn row(item: RunningItem, now: Timestamp, acts: Acts) -> AnyView {
    let RunningItem {
        task_id,
        plan,
        job,
        branch,
        cause,
        aborting,
        preparing,
        step,
        agent,
        since,
        usual_ms,
        ..
    } = item;
    let name = format!("{plan} #{task_id}");
    let look = match (aborting, preparing) {
        (true, _) => Look::ABORTING,
        (false, true) => Look::PREPARING,
        (false, false) => JobStatus::Running.into(),
    };
    let at = match (aborting, step) {
        (true, _) => "aborting".to_owned(),
        (false, Some(step)) => step,
        (false, None) if preparing => "making workspace and image ready".to_owned(),
        (false, None) => "storing the last output".to_owned(),
    };
    view! {
        <tr role="row">
            <td role="cell" class="w-4 c-hide">
                <StatusIcon look/>
            </td>
            <td role="cell" class="c-main min-[900px]:w-[26%]">
                <TaskName task=task_id plan=plan job=job/>
                <CauseLine branch cause/>
            </td>
            <td role="cell" class="c-wide min-[900px]:max-w-0 min-[900px]:w-[24%] min-[1180px]:w-[36%]">
                <span class="block trunc font-[520]">{at}</span>
            </td>
            <td role="cell" class="c-wide min-[900px]:w-[200px]">
                <UsualBar since now usual=usual_ms/>
            </td>
            <td role="cell" class="c-side">
                {agent
                    .map(|a| {
                        view! {
                            <span class="inl text-ink-2">
                                <Icon name="server"/>
                                <a class="hover:underline" href=format!("/agents/{}", a.id)>
                                    {a.name}
                                </a>
                            </span>
                        }
                    })}
            </td>
            <td role="cell" class="c-wide min-[900px]:w-[76px] min-[900px]:text-end">
                {(!aborting).then(|| view! { <Abort task=task_id name acts/> })}
            </td>
        </tr>
    }
    .into_any()
}
