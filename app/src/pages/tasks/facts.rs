//! Who and what a task is: title, the line of facts, and what can be done with it.
//!
//! **Invariant:** one primary button: what one does next with a task that has ended; a running one only has abort.

use super::api::TaskPage;
use super::show::Doing;
use crate::components::ActionForm;
use crate::components::{
    ButtonKind, Confirm, Elapsed, Icon, Look, Menu, StatusChip, SubmitButton, Time, Took, cause_icon, cause_words,
};
use crate::memo::memo;
use domain::status::{Desired, TaskStatus};
use leptos::prelude::*;

/// State, plan, number and message.
#[component]
pub fn Title(data: Signal<TaskPage>, look: Memo<Look>) -> impl IntoView {
    let (plan, id) = data.with_untracked(|d| (d.task.plan.name.clone(), d.task.id));
    let message = memo(move |_| data.with(|d| d.task.message.clone().filter(|m| !m.is_empty())));
    view! {
        <h2 class="task-title">
            {move || view! { <StatusChip look=look.get()/> }}
            <span>{plan} " " <span class="text-ink-3 font-[480]">"#"{id.0}</span></span>
            {move || message.get().map(|m| view! { <span class="font-[480] text-ink-2">{m}</span> })}
        </h2>
    }
}

/// Branch, revision, cause, agent, times, plan revision.
#[component]
pub fn Facts(data: Signal<TaskPage>) -> impl IntoView {
    let task = memo(move |_| data.with(|d| (d.task.clone(), d.now)));
    move || {
        let (t, now) = task.get();
        let took = match (t.started_at, t.finished_at) {
            (Some(from), Some(to)) => Some(view! { <Took ms=to.since(from)/> }.into_any()),
            (Some(since), None) => Some(view! { <Elapsed since now/> }.into_any()),
            _ => None,
        };
        let when = match (t.started_at, t.finished_at) {
            (Some(from), Some(to)) => {
                view! { <Time at=from seconds=true/> " to " <Time at=to seconds=true/> }.into_any()
            }
            (Some(from), None) => view! { "since " <Time at=from seconds=true/> }.into_any(),
            (None, Some(to)) => view! { "ended " <Time at=to seconds=true/> }.into_any(),
            (None, None) => view! { "made " <Time at=t.created_at seconds=true/> }.into_any(),
        };
        let revision = t.revision.clone().map(|r| {
            let short: String = r.chars().take(7).collect();
            view! {
                <span>
                    <Icon name="git-commit-horizontal"/>
                    <span class="mono" title=r>{short}</span>
                </span>
            }
        });
        let cause = cause_words(&t.cause);
        let cause = match (t.cause.rerun_of, t.cause.firing_id) {
            (Some(of), _) => view! { <a class="alink" href=format!("/tasks/{of}")>{cause}</a> }.into_any(),
            (None, Some(of)) => view! { <a class="alink" href=format!("/firings/{of}")>{cause}</a> }.into_any(),
            (None, None) => view! { <span>{cause}</span> }.into_any(),
        };
        let plan = format!("/plans/{}", t.plan.id);
        view! {
            <p class="facts mt-2">
                {t.branch.map(|b| view! { <span><Icon name="git-branch"/>{b}</span> })}
                {revision}
                {t.author.map(|a| view! { <span><Icon name="user"/>{a}</span> })}
                <span><Icon name=cause_icon(t.cause.kind)/>{cause}</span>
                {t.agent.map(|a| view! {
                    <span><Icon name="server"/><a class="alink" href=format!("/agents/{}", a.id)>{a.name}</a></span>
                })}
                <span><Icon name="clock"/><span>{when}</span></span>
                {took.map(|took| view! { <span><Icon name="timer"/>{took}</span> })}
                <span><Icon name="file-code"/><a class="alink" href=plan>"revision "{t.plan.revision}</a></span>
                {(t.priority != 0).then(|| view! { <span><Icon name="chevrons-up-down"/>"priority "{t.priority}</span> })}
            </p>
        }
    }
}

/// Abort while it goes on, rerun once it has ended.
#[component]
pub fn Acts(data: Signal<TaskPage>) -> impl IntoView {
    let doing = expect_context::<Doing>();
    let id = data.with_untracked(|d| d.task.id);
    let state = memo(move |_| {
        data.with(|d| {
            let some_failed = d
                .task
                .jobs
                .iter()
                .any(|j| j.status.ended() && j.status.as_str() != "passed");
            (d.task.status, d.task.desired, some_failed && d.task.jobs.len() > 1)
        })
    });
    let acts = move || {
        let (status, desired, failed_jobs) = state.get();
        if !status.ended() {
            return (desired == Desired::Run).then(|| {
                let sentence = if status == TaskStatus::Pending {
                    "It has not begun: it ends at once."
                } else {
                    "Waiting jobs end at once; running ones are told to stop and killed after a few seconds."
                };
                view! {
                    <Confirm opens="Abort" label=format!("Abort #{id}") icon="circle-stop" kind=ButtonKind::Line sentence=sentence>
                        <ActionForm action=doing.abort>
                            <input type="hidden" name="task" value=id.0/>
                            <SubmitButton kind=ButtonKind::Danger>"Abort it"</SubmitButton>
                        </ActionForm>
                    </Confirm>
                }
                .into_any()
            });
        }
        let all = view! {
            <ActionForm action=doing.rerun>
                <input type="hidden" name="task" value=id.0/>
                <SubmitButton
                    kind=if failed_jobs { ButtonKind::Ghost } else { ButtonKind::Primary }
                    icon="rotate-cw"
                >
                    {if failed_jobs { "All jobs, same revision" } else { "Rerun" }}
                </SubmitButton>
            </ActionForm>
        };
        if !failed_jobs {
            return Some(all.into_any());
        }
        Some(
            view! {
                <Menu label="Rerun otherwise" icon="chevron-down">{all}</Menu>
                <ActionForm action=doing.rerun>
                    <input type="hidden" name="task" value=id.0/>
                    <input type="hidden" name="failed_only" value="true"/>
                    <SubmitButton kind=ButtonKind::Primary icon="rotate-cw">"Rerun failed jobs"</SubmitButton>
                </ActionForm>
            }
            .into_any(),
        )
    };
    move || doing.may.get().then(acts)
}
