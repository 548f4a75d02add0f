//! A change from a fork that waits for a member: what it is, and the button that lets it run.
//!
//! **Invariant:** it says that approving lets a stranger's code run, and that it counts for one revision.

use super::api::TaskPage;
use super::show::Doing;
use crate::components::{ActionForm, ButtonKind, Icon, SubmitButton};
use crate::memo::memo;
use leptos::prelude::*;

/// The card, while the task waits for approval.
#[component]
pub fn Approval(data: Signal<TaskPage>) -> impl IntoView {
    let doing = expect_context::<Doing>();
    let id = data.with_untracked(|d| d.task.id);
    let waits = memo(move |_| {
        data.with(|d| {
            let short = |r: &String| r.chars().take(7).collect::<String>();
            let task = &d.task;
            (task.awaits_approval && !task.status.ended())
                .then(|| (task.cause.fork.clone(), task.revision.as_ref().map(short)))
        })
    });
    move || {
        waits.get().map(|(fork, revision)| {
            let what = revision.map_or_else(|| "It".to_owned(), |r| format!("Revision {r}"));
            let from = fork.unwrap_or_else(|| "a fork".into());
            let act = move || match doing.may.get() {
                true => view! {
                    <ActionForm action=doing.approve>
                        <input type="hidden" name="task" value=id.0/>
                        <SubmitButton kind=ButtonKind::Primary icon="stamp">"Approve and run"</SubmitButton>
                    </ActionForm>
                }
                .into_any(),
                false => view! { <p class="text-table text-ink-2">"Somebody who may run plans can approve it."</p> }.into_any(),
            };
            view! {
                <section class="note note-st st-lost mt-5" aria-labelledby="approval">
                    <Icon name="stamp"/>
                    <div class="min-w-0 grid gap-2">
                        <h3 id="approval" class="font-[680]">"Waits for approval"</h3>
                        <p class="text-table">
                            {what} " comes from the fork " <b class="mono break-all">{from}</b>
                            ", which anybody can make. Look at what it changes, and below at what it would run, before you \
                             let it run on your agents. An approval counts for this revision alone: what is pushed later \
                             waits again."
                        </p>
                        {act}
                    </div>
                </section>
            }
        })
    }
}
