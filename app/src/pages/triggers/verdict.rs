//! What would be decided about an event: in one sentence, rule by rule, and what the task would be given.
//!
//! **Invariant:** each rule stands beside its answer and why.

use crate::components::{Icon, IconSize};
use domain::trigger::{Asked, Tried, Verdict as Came};
use leptos::prelude::*;

/// The verdict.
#[component]
pub fn Verdict(
    /// What was said.
    tried: Tried,
    /// Whether what its task would be given is shown too.
    #[prop(optional)]
    whole: bool,
) -> impl IntoView {
    let (class, icon, words) = match tried.verdict {
        Came::Started | Came::Held if tried.fork.is_some() => {
            let fork = tried.fork.clone().unwrap_or_default();
            let words =
                format!("It would start a task that waits for a member's approval: it comes from the fork `{fork}`.");
            ("st st-waiting", "hourglass", words)
        }
        Came::Started | Came::Held => ("st st-passed", "circle-check", "It would start a task.".to_owned()),
        Came::Nothing => (
            "st st-waiting",
            "circle-slash",
            tried.reason.clone().unwrap_or_default(),
        ),
        Came::Error => ("st st-failed", "circle-x", tried.reason.clone().unwrap_or_default()),
    };
    let given = (whole && tried.verdict == Came::Started).then(|| given(&tried));
    let history = tried.of_last.filter(|n| n[0] > 1).map(|[all, now, then]| {
        view! {
            <p class="text-small text-ink-3">
                "Of the last " {all} " deliveries, " {then} " would start a task; as it is saved, " {now} "."
            </p>
        }
    });
    view! {
        <div class="grid gap-1 py-3">
            <p class="flex gap-2 items-start text-table">
                <span class=class>
                    <Icon name=icon/>
                </span>
                <span class="wrap-anywhere">{words}</span>
            </p>
            <ul class="grid gap-0.5">{tried.evaluation.rules.into_iter().map(one).collect::<Vec<_>>()}</ul>
            {given}
            {history}
        </div>
    }
}

/// What its task would be given, where it is not its plan's own.
fn given(tried: &Tried) -> Option<AnyView> {
    let own = [("Branch", &tried.branch), ("Commit", &tried.revision)];
    let own = own
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let rows: Vec<_> = own
        .chain(tried.parameters.clone())
        .map(|(name, value)| {
            view! {
                <dt>{name}</dt>
                <dd class="mono wrap-anywhere">{value}</dd>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| view! { <dl class="kv pt-3">{rows}</dl> }.into_any())
}

fn one(asked: Asked) -> impl IntoView {
    let (class, icon, word) = if asked.holds {
        ("st st-passed", "check", "true")
    } else {
        ("st st-failed", "x", "false")
    };
    view! {
        <li class="flex gap-2 items-baseline text-small min-w-0">
            <span class=class>
                <Icon name=icon size=IconSize::Small/>
                <span>{word}</span>
            </span>
            <code class="trunc">{asked.rule}</code>
            <span class="text-ink-3 wrap-anywhere">{asked.why}</span>
        </li>
    }
}
