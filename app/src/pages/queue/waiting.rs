//! What waits, in the order in which it should start, each with its reason.
//!
//! **Invariant:** the sentence comes from the scheduler; nothing here interprets it.

use super::filter::Filter;
use super::show::Acts;
use crate::components::ActionForm;
use crate::components::{Blank, CauseLine, Confirm, Elapsed, Icon, IconSize, Reason, Rows, TaskName};
use crate::memo::memo;
use domain::queue::{Fit, QueueItem, QueueView};
use domain::{TaskId, Timestamp};
use leptos::prelude::*;

/// The section of waiting jobs.
#[component]
pub fn Waiting(data: Signal<QueueView>, filter: Memo<Filter>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let items = memo(move |_| {
        let f = filter.get();
        data.with(|d| {
            d.waiting
                .iter()
                .filter(|i| f.takes_waiting(i))
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let count = memo(move |_| items.with(Vec::len));
    let alone = memo(move |_| filter.with(|f| !f.shows_tasks()));
    let now = Signal::derive(move || data.with(|d| d.now));
    view! {
        <Show
            when=move || { count.get() > 0 }
            fallback=move || {
                alone.get().then(|| {
                    view! {
                        <Blank
                            title="Nothing waits"
                            sentence="Jobs stand here when no slot is free for them, or something they need is not there, each with the reason."
                        />
                    }
                })
            }
        >
            <section class="sect mt-6!" aria-labelledby="waiting">
                <div class="sect-head">
                    <h2 id="waiting">"Waiting"</h2>
                    <span class="n">{count}</span>
                    <span class="aside desk">"in the order in which they should start"</span>
                </div>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th class="num" scope="col">"#"</th>
                            <th scope="col">"Task"</th>
                            <th scope="col">"Why it waits"</th>
                            <th class="c-late" scope="col">"Agents that fit"</th>
                            <th class="num" scope="col">"For"</th>
                            <th scope="col"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|i: &QueueItem| i.job_id.0 row=move |i| row(i, now.get_untracked(), acts)/>
                    </tbody>
                </table>
            </section>
        </Show>
    }
    .into_any()
}

fn row(item: QueueItem, now: Timestamp, acts: Acts) -> AnyView {
    let QueueItem {
        task_id,
        plan,
        job,
        branch,
        cause,
        reason_code,
        reason,
        blocker,
        position,
        agents,
        since,
        ..
    } = item;
    let name = format!("{plan} #{task_id}");
    view! {
        <tr role="row">
            <td role="cell" class="num text-ink-3 w-8 c-hide">{position}</td>
            <td role="cell" class="c-main min-[900px]:w-[24%]">
                <TaskName task=task_id plan=plan job=job/>
                <CauseLine branch cause/>
            </td>
            <td role="cell" class="c-wide">
                <Reason code=reason_code sentence=reason blocker task=task_id/>
            </td>
            <td role="cell" class="c-hide c-late w-28">{fits(agents)}</td>
            <td role="cell" class="num text-ink-2 c-side w-20">
                <Elapsed since now/>
            </td>
            <td role="cell" class="c-wide min-[900px]:w-[76px] min-[900px]:text-end">
                <Abort task=task_id name acts/>
            </td>
        </tr>
    }
    .into_any()
}

fn fits(agents: Vec<Fit>) -> Option<impl IntoView> {
    let (fit, all) = (agents.iter().filter(|a| a.fits).count(), agents.len());
    (all > 0).then(|| {
        let items: Vec<_> = agents
            .into_iter()
            .map(|a| {
                let (class, icon, word) = if a.fits {
                    ("st st-passed", "check", "fits: ")
                } else {
                    ("st st-skipped", "x", "does not fit: ")
                };
                view! {
                    <li class="flex gap-2">
                        <span class=class>
                            <Icon name=icon size=IconSize::Small/>
                            <span class="sr-only">{word}</span>
                        </span>
                        <b class="font-[560]">{a.name}</b>
                        <span class="text-ink-3">{a.why}</span>
                    </li>
                }
            })
            .collect();
        view! {
            <details class="pop">
                <summary class="btn btn-ghost btn-xs num" aria-label=format!("{fit} of {all} agents fit")>
                    {format!("{fit} of {all}")}
                    <Icon name="chevron-down" size=IconSize::Small/>
                </summary>
                <div class="pop-body min-w-72 p-2">
                    <ul class="grid gap-1.5 text-small">{items}</ul>
                </div>
            </details>
        }
    })
}

/// The button that asks whether to abort, and the form that does.
#[component]
pub(super) fn Abort(
    /// Which task.
    task: TaskId,
    /// Its name, for those who hear the page.
    name: String,
    /// The page's acts.
    acts: Acts,
) -> impl IntoView {
    let name = StoredValue::new(name);
    view! {
        <Show when=move || acts.may.get()>
            <Confirm
                opens="Abort"
                label=format!("Abort {}", name.get_value())
                icon="circle-stop"
                sentence=format!("All jobs of {} end: what waits at once, what runs after a few seconds.", name.get_value())
            >
                <ActionForm action=acts.abort>
                    <input type="hidden" name="task" value=task.0/>
                    <button class="btn btn-sm btn-error justify-center" type="submit">"Abort it"</button>
                </ActionForm>
            </Confirm>
        </Show>
    }
    .into_any()
}
