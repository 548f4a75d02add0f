//! How a firing came to its verdict, step by step: what came in, what proved it, each rule, what it set, what followed.
//!
//! **Invariant:** a rule stands beside the values that it looked at.

use super::firing::started;
use super::hook::size;
use super::looks::{ticked, verdict_look};
use crate::components::{Icon, IconSize, Time};
use domain::trigger::{Asked, FiringView, Kind, Verdict};
use leptos::prelude::*;

/// The section.
#[component]
pub fn Trail(firing: FiringView) -> impl IntoView {
    let f = firing;
    let first = occasion(&f);
    let proof = f.delivery.as_ref().map(|d| {
        step(
            "shield-check",
            "st st-passed",
            "Signature matches",
            None,
            view! { "Proved by " <code class="wrap-anywhere">{d.proof.clone()}</code> "." }.into_any(),
        )
    });
    let set: Vec<_> = (f.evaluation.set.iter())
        .map(|s| {
            view! {
                <li class="wrap-anywhere">
                    <code>{s.name.clone()}</code>
                    " = "
                    <code>{s.value.clone()}</code>
                </li>
            }
        })
        .collect();
    let set = (!set.is_empty()).then(|| {
        let body = view! { <ul class="grid gap-0.5">{set}</ul> }.into_any();
        step("pencil", "st st-waiting", "Set for the task", None, body)
    });
    let rules = rules(&f);
    let end = end(&f);
    view! {
        <section class="sect" aria-labelledby="happened">
            <div class="sect-head">
                <h2 id="happened">"What happened"</h2>
            </div>
            <ol class="trail pt-4">{first} {proof} {rules} {set} {end}</ol>
        </section>
    }
    .into_any()
}

fn step(
    icon: &'static str,
    class: &'static str,
    head: impl Into<String>,
    at: Option<AnyView>,
    body: AnyView,
) -> AnyView {
    view! {
        <li class="grid grid-cols-[24px_minmax(0,1fr)_auto] gap-x-3 gap-y-1 pb-5 relative">
            <span class=format!("{class} relative z-1 bg-base-100 self-start py-0.5 max-h-7")>
                <Icon name=icon size=IconSize::Large/>
            </span>
            <div class="min-w-0">
                <h3>{head.into()}</h3>
                <div class="text-table text-ink-2">{body}</div>
            </div>
            <span class="text-small text-ink-3 num leading-5">{at}</span>
        </li>
    }
    .into_any()
}

/// What it was asked about.
fn occasion(f: &FiringView) -> AnyView {
    let c = &f.cause;
    let time = |at| Some(view! { <Time at seconds=true/> }.into_any());
    if f.replay_of.is_none() && c.by.is_some() && f.delivery.is_none() && f.scheduled_for.is_none() && c.task.is_none()
    {
        let by = c.by.clone().unwrap_or_default();
        let body = view! { "By "{by}", without asking the rules." }.into_any();
        return step("hand", "st st-passed", "Fired by hand", time(f.at), body);
    }
    if let Some(d) = &f.delivery {
        let head = if f.replay_of.is_some() {
            "Received, and decided again now"
        } else {
            "Received"
        };
        let body = view! {
            {size(d.size)}
            ", delivery "
            <code class="wrap-anywhere">{d.key.clone()}</code>
            ", from "
            {d.from.clone()}
        }
        .into_any();
        return step("arrow-down-to-line", "st st-passed", head, time(d.at), body);
    }
    match f.kind {
        Kind::Cron => {
            let due = f.scheduled_for.unwrap_or(f.at);
            let late = f.at.since(due);
            let body = match (late >= 1_000, c.missed) {
                (_, Some(n)) => format!("{n} times had been missed; this one is for all of them."),
                (true, None) => format!("It was noticed {} later.", domain::time::human_duration(late)),
                (false, None) => "On time.".into(),
            };
            step("timer", "st st-passed", "It was due", time(due), body.into_any())
        }
        Kind::Upstream => {
            let body = match c.task {
                Some(task) => {
                    view! { <a class="alink" href=format!("/tasks/{task}")>"Task #"{task.0}</a> " had ended." }
                        .into_any()
                }
                None => "The last of what it waits for had ended.".into_any(),
            };
            step("cable", "st st-passed", "A task ended", time(f.at), body)
        }
        Kind::Poll => step(
            "git-branch",
            "st st-passed",
            "Something new was found",
            time(f.at),
            c.title.clone().into_any(),
        ),
        Kind::Webhook => {
            let body = "What was delivered is not kept any more.".into_any();
            step("arrow-down-to-line", "st st-passed", "Received", time(f.at), body)
        }
    }
}

fn rules(f: &FiringView) -> Option<AnyView> {
    let all = &f.evaluation.rules;
    if all.is_empty() {
        return None;
    }
    let wrong = all.iter().filter(|r| !r.holds).count();
    let (head, class) = match wrong {
        0 if all.len() == 1 => ("The rule is true".to_owned(), "st st-passed"),
        0 => (format!("All {} rules are true", all.len()), "st st-passed"),
        n => (format!("Rules: {} asked, {n} false", all.len()), "st st-failed"),
    };
    let rows: Vec<_> = all.iter().map(rule).collect();
    let table = view! {
        <table class="data stack mt-1" role="table">
            <thead class="sr-only" role="rowgroup">
                <tr role="row">
                    <th scope="col">"Result"</th>
                    <th scope="col">"Rule"</th>
                    <th scope="col">"What it saw"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">{rows}</tbody>
        </table>
    };
    Some(step("list-checks", class, head, None, table.into_any()))
}

fn rule(r: &Asked) -> AnyView {
    let (icon, class, word) = match r.holds {
        true => ("check", "st st-passed", "true"),
        false => ("x", "st st-failed", "false"),
    };
    let saw: Vec<_> = (r.found.iter())
        .map(|v| view! { <code class="block wrap-anywhere">{v.clone()}</code> })
        .collect();
    let why = (!r.holds).then(|| view! { <span class="block text-small text-ink-2">{ticked(&r.why)}</span> });
    view! {
        <tr role="row">
            <td role="cell" class="c-main min-[900px]:w-20">
                <span class=class>
                    <Icon name=icon/>
                    <span>{word}</span>
                </span>
            </td>
            <td role="cell" class="c-wide">
                <code class="wrap-anywhere">{r.rule.clone()}</code>
                {why}
            </td>
            <td role="cell" class="c-wide text-ink-2 min-[900px]:w-[34%]" data-label="Saw:">{saw}</td>
        </tr>
    }
    .into_any()
}

fn end(f: &FiringView) -> AnyView {
    let look = verdict_look(f.verdict);
    let (head, body) = match f.verdict {
        Verdict::Started => ("Started", started(f)),
        Verdict::Held => ("Waits", f.reason.as_deref().map(|r| ticked(r).into_any())),
        Verdict::Nothing if f.delivery.is_some() && f.replay_of.is_none() => (
            "Nothing started",
            Some("Answered 202 with the reason, so the sender can show it too.".into_any()),
        ),
        Verdict::Nothing => ("Nothing started", None),
        Verdict::Error => (
            "It could not start anything",
            f.reason.as_deref().map(|r| ticked(r).into_any()),
        ),
    };
    step(look.icon, look.class, head, None, body.unwrap_or_else(|| ().into_any()))
}
