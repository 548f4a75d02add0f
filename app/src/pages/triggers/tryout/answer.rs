//! What was said of a try: the verdict, or what is wrong at which line and column.
//!
//! **Invariant:** a problem leads to its place.

use super::api::TryDraft;
use super::problems;
use crate::browser;
use crate::components::{ErrorNote, Icon, IconSize};
use crate::error::Result;
use crate::pages::triggers::edit;
use crate::pages::triggers::verdict::Verdict;
use domain::Problem;
use domain::trigger::Tried;
use leptos::prelude::*;

/// The answer.
#[component]
pub fn Answer(said: RwSignal<Option<Result<Tried>>>, written: RwSignal<TryDraft>) -> impl IntoView {
    let rules = Signal::derive(move || written.with(|w| w.rules.clone()));
    let body = move || {
        match said.get() {
        None => view! {
            <p class="text-table text-ink-2 pt-3">
                "What the trigger would do about a payload stands here: each rule, true or false, and what its task would be given."
            </p>
        }
        .into_any(),
        Some(Ok(tried)) => {
            let warnings: Vec<_> = tried.warnings.iter().map(|p| edit::place(p, rules, false)).collect();
            let warnings = (!warnings.is_empty()).then(|| view! { <ul class="grid gap-1 pb-3">{warnings}</ul> });
            view! { <Verdict tried whole=true/> {warnings} }.into_any()
        }
        Some(said @ Err(_)) => {
            let found = problems(&said);
            match said {
                Err(error) if found.is_empty() => view! { <ErrorNote error/> }.into_any(),
                _ => {
                    let all: Vec<_> = found
                        .iter()
                        .map(|p| match edit::rule_of(p) {
                            Some(_) => edit::place(p, rules, true).into_any(),
                            None => of_payload(p).into_any(),
                        })
                        .collect();
                    view! { <ul class="grid gap-1 pt-3">{all}</ul> }.into_any()
                }
            }
        }
    }
    };
    view! {
        <section class="min-w-0" id="answer" aria-labelledby="answer-head">
            <div class="sect-head">
                <h2 id="answer-head">"What would happen"</h2>
            </div>
            <div aria-live="polite">{body}</div>
        </section>
    }
    .into_any()
}

/// Something wrong with the payload.
fn of_payload(problem: &Problem) -> impl IntoView + use<> {
    let place = problem.line.zip(problem.column);
    let told = match place {
        Some((line, column)) => format!("Payload, line {line}, column {column}: {}", problem.message),
        None => problem.message.clone(),
    };
    let show = move |_| {
        if let Some((line, column)) = place {
            browser::show_place("payload", line, column);
        }
    };
    view! {
        <li class="flex gap-1.5 items-start text-small text-failed">
            <span class="pt-px">
                <Icon name="circle-x" size=IconSize::Small/>
            </span>
            <button type="button" class="text-start wrap-anywhere cursor-pointer hover:underline" on:click=show>
                {told}
            </button>
        </li>
    }
}
