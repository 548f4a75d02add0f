//! The card above a failed task: what broke, the lines that show it, and the way there.
//!
//! **Invariant:** it is there only for a task in which something broke, and says so before anything else on the page.

use super::api::TaskPage;
use super::failure::Failure;
use super::wish::step_address;
use crate::components::{Icon, IconSize};
use crate::memo::memo;
use domain::TaskId;
use leptos::prelude::*;

/// The card, when there is one.
#[component]
pub fn FailureCard(data: Signal<TaskPage>) -> impl IntoView {
    let task = data.with_untracked(|d| d.task.id);
    let failure = memo(move |_| data.with(|d| d.failure.clone()));
    move || failure.get().map(|f| card(task, f))
}

fn card(task: TaskId, f: Failure) -> impl IntoView {
    let there = f.step.zip(f.line).map(|(step, line)| {
        let from = (line - 40).max(1);
        view! {
            <a class="btn btn-xs btn-line ms-auto" href=format!("{}#L{line}", step_address(task, step, Some(from)))>
                <Icon name="arrow-down" size=IconSize::Small/>
                "Go to line "
                {line}
            </a>
        }
    });
    let lines: Vec<_> = f
        .lines
        .into_iter()
        .map(|l| {
            let runs: Vec<_> = l
                .runs
                .into_iter()
                .map(|r| view! { <span class=r.style>{r.text}</span> })
                .collect();
            view! { <span class:hot=l.hot>{runs}</span> }
        })
        .collect();
    let quote = (!lines.is_empty()).then(|| {
        view! { <pre class="excerpt" tabindex="0" role="region" aria-label="The lines that matter">{lines}</pre> }
    });
    view! {
        <section class="fail fail-plain mt-5" aria-labelledby="why">
            <div class="fail-head">
                <h3 id="why">
                    <b class="font-[680]">{f.name}</b>
                    {f.job_name.map(|j| format!(" in {j}"))}
                    " "
                    {f.what}
                </h3>
                {there}
                {f.why.map(|why| view! { <p class="w-full text-table text-ink-2">{why}</p> })}
            </div>
            {quote}
        </section>
    }
}
