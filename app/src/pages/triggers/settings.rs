//! What is set for a trigger: what it looks at, its rules, and what its tasks are given.
//!
//! **Invariant:** what is left at its default is left out, but for rules: that there are none is said.

use super::next::often;
use crate::components::Time;
use domain::trigger::{Config, Cron, Kind, Missed, Overlap, Poll, Seen, TriggerView, Upstream};
use leptos::prelude::*;

/// The section.
#[component]
pub fn Settings(
    /// The trigger.
    trigger: TriggerView,
    /// The name of the repository it looks at.
    repository: Option<String>,
) -> impl IntoView {
    let t = trigger;
    let rules: Vec<_> = t
        .rules
        .iter()
        .map(|rule| view! { <li><code class="wrap-anywhere">{rule.clone()}</code></li> })
        .collect();
    let rules = match (rules.is_empty(), t.config.kind()) {
        (false, _) => view! { <ol class="grid gap-0.5">{rules}</ol> }.into_any(),
        (true, Kind::Cron) => "none: every time counts".into_any(),
        (true, _) => "none: everything that comes counts".into_any(),
    };
    let source = match &t.config {
        Config::Cron(cron) => scheduled(cron),
        Config::Poll(poll) => polled(poll, repository),
        Config::Upstream(up) => after(up),
        Config::Webhook(hook) => match hook.ignore_skip {
            true => pair("[skip ci]", "counts for nothing").into_any(),
            false => ().into_any(),
        },
    };
    let sets: Vec<_> = [
        ("branch", t.branch.clone()),
        ("commit", t.revision.clone()),
        ("priority", Some(t.priority.to_string()).filter(|_| t.priority != 0)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .chain(t.parameters.iter().map(|(name, value)| (name.clone(), value.clone())))
    .map(|(name, value)| {
        view! {
            <li class="wrap-anywhere">
                <code>{name}</code>
                " = "
                <code>{value}</code>
            </li>
        }
    })
    .collect();
    let sets = match sets.is_empty() {
        true => "nothing: the event's branch and commit, the plan's own parameters".into_any(),
        false => view! { <ul class="grid gap-0.5">{sets}</ul> }.into_any(),
    };
    view! {
        <section class="sect" aria-labelledby="settings">
            <div class="sect-head">
                <h2 id="settings">"Settings"</h2>
            </div>
            <dl class="kv pt-3">
                {source}
                <dt>"Rules"</dt>
                <dd>{rules}</dd>
                <dt>"Sets"</dt>
                <dd>{sets}</dd>
                <dt>"Made"</dt>
                <dd>
                    <Time at=t.created_at/>
                    ", saved "
                    {match t.version {
                        1 => "once".to_owned(),
                        n => format!("{n} times"),
                    }}
                </dd>
            </dl>
        </section>
    }
    .into_any()
}

fn pair(name: &'static str, value: impl Into<String>) -> impl IntoView {
    view! {
        <dt>{name}</dt>
        <dd>{value.into()}</dd>
    }
}

fn scheduled(cron: &Cron) -> AnyView {
    let missed = match cron.missed {
        Missed::Once => "one task for all of them".to_owned(),
        Missed::All => format!("a task for each, at most the newest {}", cron.most),
        Missed::Skip => "nothing; it is noted".to_owned(),
    };
    let overlap = match cron.overlap {
        Overlap::Queue => "the new one waits for it",
        Overlap::Skip => "nothing is started; it is noted",
        Overlap::Cancel => "that one is aborted",
    };
    let from = cron.from.map(|at| view! { <dt>"Not before"</dt><dd><Time at/></dd> });
    let until = cron.until.map(|at| view! { <dt>"Not after"</dt><dd><Time at/></dd> });
    view! {
        <dt>"Schedule"</dt>
        <dd>
            <code>{cron.cron.clone()}</code>
            ", "
            {cron.zone.clone()}
        </dd>
        {from}
        {until}
        <dt>"Missed times"</dt>
        <dd>{missed}</dd>
        <dt>"While its task runs"</dt>
        <dd>{overlap}</dd>
    }
    .into_any()
}

fn polled(poll: &Poll, named: Option<String>) -> AnyView {
    let repository = poll
        .repository_id
        .map(|id| named.unwrap_or_else(|| format!("repository {id}")));
    let what = [poll.git.clone(), poll.url.clone(), repository]
        .into_iter()
        .flatten()
        .next();
    let list = |name: &'static str, all: &[String]| (!all.is_empty()).then(|| pair(name, all.join(", ")));
    let each = (poll.commits == Seen::Each).then(|| pair("Fires for", "each new commit"));
    view! {
        <dt>"Looks at"</dt>
        <dd>
            <code class="wrap-anywhere">{what.unwrap_or_default()}</code>
            {poll.every_ms().map(|ms| format!(", {}", often(ms)))}
        </dd>
        {poll.pointer.clone().filter(|p| !p.is_empty()).map(|p| pair("Value", p))}
        {list("Branches", &poll.branches)}
        {list("Tags", &poll.tags)}
        {each}
    }
    .into_any()
}

fn after(up: &Upstream) -> AnyView {
    let results: Vec<_> = up.wanted().iter().map(|s| s.as_str().replace('_', " ")).collect();
    view! {
        {pair("Results", results.join(" or "))}
        {up.branch.clone().map(|b| pair("Branch", b))}
        {(up.plans.len() > 1).then(|| pair("Revision", "the same for all of them"))}
    }
    .into_any()
}
