//! The document that was run: the plan at the task's own revision.
//!
//! **Invariant:** it is what was run, not what the plan says today.

use super::api::{TabData, TaskPage};
use super::show::tab_data;
use crate::components::Blank;
use leptos::prelude::*;

/// The document, read only.
#[component]
pub fn DocumentTab(data: Signal<TaskPage>) -> impl IntoView {
    let (plan, revision) = data.with_untracked(|d| (d.task.plan.clone(), d.task.plan.revision));
    let text = tab_data(data, |t| match t {
        TabData::Plan(text) => Some(text.clone()),
        _ => None,
    });
    move || {
        let href = format!("/plans/{}", plan.id);
        text.get().map(|text| match text {
            Some(text) => {
                let lines: Vec<_> = text.lines().map(|l| view! { <span>{l.to_owned()}</span> }).collect();
                view! {
                    <p class="text-table text-ink-2 py-3">
                        <a class="alink" href=href>{plan.name.clone()}</a>
                        " at revision "
                        {revision}
                        ", as this task ran it."
                    </p>
                    <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Plan document">
                        <pre class="ed">{lines}</pre>
                    </div>
                }
                .into_any()
            }
            None => view! { <Blank small=true title="Not kept" sentence="The document of this revision is no longer stored."/> }.into_any(),
        })
    }
}
