//! Tasks, newest first, page by page.
//!
//! **Invariant:** passing is quiet, failing says what broke in its own words.

use super::filter::Filter;
use super::show::Acts;
use super::waiting::Abort;
use crate::components::ActionForm;
use crate::components::{
    Blank, CauseLine, Elapsed, Icon, IconSize, LinkButton, Look, Pager, Rows, Status, TaskName, Time, Took,
};
use crate::memo::memo;
use domain::Timestamp;
use domain::queue::QueueView;
use domain::status::Desired;
use domain::task::TaskView;
use leptos::prelude::*;

/// The section of tasks.
#[component]
pub fn Tasks(data: Signal<QueueView>, filter: Memo<Filter>, nothing_yet: Memo<bool>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let items = memo(move |_| data.with(|d| d.tasks.items.clone()));
    let some = memo(move |_| items.with(|i| !i.is_empty()));
    let older = memo(move |_| {
        data.with(|d| d.tasks.next_cursor.clone())
            .map(|c| filter.with(|f| f.with("cursor", &c)))
    });
    let newest = memo(move |_| filter.with(|f| (!f.cursor.is_empty()).then(|| f.with("cursor", ""))));
    let now = Signal::derive(move || data.with(|d| d.now));
    view! {
        <Show
            when=move || some.get()
            fallback=move || {
                if nothing_yet.get() {
                    view! {
                        <Blank
                            title="Nothing has run yet"
                            sentence="A plan says what to run; each run of it is a task. Tasks stand here from the moment they are wanted, with the reason while they wait and their console as it is written."
                        >
                            <LinkButton href="/plans" kind=crate::components::ButtonKind::Primary icon="play">
                                "Run the first plan"
                            </LinkButton>
                        </Blank>
                    }
                        .into_any()
                } else {
                    view! {
                        <Blank small=true title="No task is like that" sentence="Perhaps the filter is too narrow.">
                            <LinkButton href="/">"Show everything"</LinkButton>
                        </Blank>
                    }
                        .into_any()
                }
            }
        >
            <section class="sect" aria-labelledby="tasks">
                <div class="sect-head">
                    <h2 id="tasks">"Tasks"</h2>
                    <span class="aside desk">"newest first"</span>
                </div>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Status"</th>
                            <th scope="col">"Task"</th>
                            <th scope="col">"What happened"</th>
                            <th class="c-late" scope="col">"Build"</th>
                            <th class="c-late" scope="col">"Agent"</th>
                            <th scope="col">"Created"</th>
                            <th class="num" scope="col">"Took"</th>
                            <th scope="col"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|t: &TaskView| t.id.0 row=move |t| row(t, now.get_untracked(), acts)/>
                    </tbody>
                </table>
                {move || view! { <Pager newest=newest.get() older=older.get()/> }}
            </section>
        </Show>
    }
    .into_any()
}

fn row(t: TaskView, now: Timestamp, acts: Acts) -> AnyView {
    let look = Look::task(t.status, t.desired);
    let name = format!("{} #{}", t.plan.name, t.id);
    let took = match (t.started_at, t.finished_at) {
        (Some(from), Some(to)) => Some(view! { <Took ms=to.since(from)/> }.into_any()),
        (Some(since), None) => Some(view! { <Elapsed since now/> }.into_any()),
        _ => None,
    };
    let summary = t
        .message
        .as_deref()
        .and_then(|m| m.lines().next())
        .unwrap_or_default()
        .to_owned();
    let (first, second) = match t.reason {
        Some(reason) => (view! { <span>{reason}</span> }.into_any(), summary),
        None => (
            view! { <span class="text-ink-2">{summary}</span> }.into_any(),
            String::new(),
        ),
    };
    let short = t.revision.as_deref().map(|r| r.get(..9).unwrap_or(r).to_owned());
    let act = if t.status.ended() {
        view! { <Rerun task=t.id name=name.clone() acts/> }.into_any()
    } else if t.desired == Desired::Run {
        view! { <Abort task=t.id name=name.clone() acts/> }.into_any()
    } else {
        ().into_any()
    };
    view! {
        <tr role="row">
            <td role="cell" class="c-side min-[900px]:w-28">
                <Status look/>
            </td>
            <td role="cell" class="c-main min-[900px]:w-[26%]">
                <TaskName task=t.id plan=t.plan.name/>
                <CauseLine branch=t.branch cause=t.cause/>
            </td>
            <td role="cell" class="c-wide">
                {first} {(!second.is_empty()).then(|| view! { <span class="t2">{second}</span> })}
            </td>
            <td role="cell" class="c-hide c-late whitespace-nowrap">
                {t.build.map(|b| view! { <span class="block">{b}</span> })}
                {short.map(|r| view! { <span class="mono text-ink-3" title=t.revision>{r}</span> })}
            </td>
            <td role="cell" class="c-hide c-late">
                {t.agent
                    .map(|a| {
                        view! {
                            <a class="hover:underline text-ink-2" href=format!("/agents/{}", a.id)>
                                {a.name}
                            </a>
                        }
                    })}
            </td>
            <td role="cell" class="text-ink-3 c-cell whitespace-nowrap" data-label="created">
                <Time at=t.created_at/>
            </td>
            <td role="cell" class="num text-ink-2 c-cell">{took}</td>
            <td role="cell" class="c-wide min-[900px]:w-[150px]">
                <span class="flex gap-1.5 min-[900px]:justify-end">
                    <a class="btn btn-ghost btn-xs" href=format!("/tasks/{}#console", t.id) aria-label=format!("Console of {name}")>
                        <Icon name="scroll-text" size=IconSize::Small/>
                        "Console"
                    </a>
                    {act}
                </span>
            </td>
        </tr>
    }
    .into_any()
}

/// Runs a task again.
#[component]
fn Rerun(task: domain::TaskId, name: String, acts: Acts) -> impl IntoView {
    let name = StoredValue::new(name);
    view! {
        <Show when=move || acts.may.get()>
            <ActionForm action=acts.rerun>
                <input type="hidden" name="task" value=task.0/>
                <button class="btn btn-line btn-xs" type="submit" aria-label=format!("Rerun {}", name.get_value())>
                    <Icon name="rotate-cw" size=IconSize::Small/>
                    "Rerun"
                </button>
            </ActionForm>
        </Show>
    }
    .into_any()
}
