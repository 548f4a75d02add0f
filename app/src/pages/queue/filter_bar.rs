//! Tabs and the filter's form.
//!
//! **Invariant:** the form is a plain GET; a script only keeps empty fields out of the address.

use super::filter::{Filter, Tab};
use crate::browser;
use crate::components::{Icon, IconSize};
use domain::queue::QueueFigures;
use domain::status::TaskStatus;
use domain::task::CauseKind;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

/// Tabs, search and filters.
#[component]
pub fn FilterBar(filter: Memo<Filter>, figures: Memo<QueueFigures>) -> impl IntoView {
    let tabs = Tab::ALL.map(|(tab, word)| {
        let count = move || match tab {
            Tab::Running => Some(figures.get().running),
            Tab::Waiting => Some(figures.get().waiting),
            Tab::Blocked => Some(figures.get().blocked),
            Tab::All | Tab::Finished => None,
        };
        let name = match tab {
            Tab::All => "All",
            Tab::Running => "Running",
            Tab::Waiting => "Waiting",
            Tab::Blocked => "Blocked",
            Tab::Finished => "Finished",
        };
        view! {
            <a
                href=move || filter.with(|f| f.with("is", word))
                aria-current=move || (filter.with(Filter::tab) == tab).then_some("true")
            >
                {name}
                {move || count().map(|n| view! { <span class="n">{n}</span> })}
            </a>
        }
    });
    view! {
        <div class="filterbar">
            <nav class="viewtabs flex-1 min-w-0" aria-label="Filter the queue">
                {tabs.into_iter().collect::<Vec<_>>()}
            </nav>
            <FilterForm filter/>
        </div>
        <InUse filter/>
    }
    .into_any()
}

#[component]
fn FilterForm(filter: Memo<Filter>) -> impl IntoView {
    let navigate = use_navigate();
    let take_over = move |ev: leptos::ev::SubmitEvent| {
        if let Some(fields) = browser::taken_over(&ev, Filter::FIELDS) {
            navigate(&filter.with_untracked(|f| f.filled(&fields)), Default::default());
        }
    };
    let text = move |name: &'static str, label: &'static str, value: fn(&Filter) -> &str| {
        let id = format!("filter-{name}");
        view! {
            <div class="field">
                <label for=id.clone()>{label}</label>
                <input
                    id=id
                    class="input input-sm"
                    name=name
                    value=move || filter.with(|f| value(f).to_owned())
                    prop:value=move || filter.with(|f| value(f).to_owned())
                />
            </div>
        }
    };
    let status = TaskStatus::ALL.iter().map(|s| {
        let word = if *s == TaskStatus::Pending {
            "waiting".into()
        } else {
            s.as_str().replace('_', " ")
        };
        (s.as_str(), word)
    });
    let cause = CauseKind::ALL.iter().map(|c| (c.as_str(), c.as_str().to_owned()));
    view! {
        <form
            class="flex items-center gap-2 max-md:w-full max-md:py-2 max-md:order-first"
            method="get"
            action="/"
            role="search"
            on:submit=take_over
        >
            <input type="hidden" name="is" value=move || filter.with(|f| f.is.clone())/>
            <label class="input input-sm input-soft w-64 max-md:w-full">
                <span class="text-ink-3 inline-flex">
                    <Icon name="search" size=IconSize::Small/>
                </span>
                <input
                    type="search"
                    name="q"
                    placeholder="plan, message, branch or #12"
                    aria-label="Search tasks"
                    value=move || filter.with(|f| f.q.clone())
                    prop:value=move || filter.with(|f| f.q.clone())
                />
            </label>
            <details class="pop">
                <summary class="btn btn-line btn-sm">
                    <Icon name="list-filter"/>
                    "Filter"
                </summary>
                <div class="pop-body p-3 grid gap-3 w-72">
                    {text("plan", "Plan", |f| &f.plan)}
                    {choice(filter, "status", "Status", |f| &f.status, status.collect())}
                    {text("agent", "Agent", |f| &f.agent)}
                    {choice(filter, "cause", "Cause", |f| &f.cause, cause.collect())}
                    {text("branch", "Branch", |f| &f.branch)}
                    {text("build", "Build", |f| &f.build)}
                    <button class="btn btn-sm btn-primary justify-center" type="submit">"Show"</button>
                </div>
            </details>
        </form>
    }
    .into_any()
}

fn choice(
    filter: Memo<Filter>,
    name: &'static str,
    label: &'static str,
    value: fn(&Filter) -> &str,
    options: Vec<(&'static str, String)>,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(v, word)| {
            view! { <option value=v selected=move || filter.with(|f| value(f) == v)>{word}</option> }
        })
        .collect();
    let id = format!("filter-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select id=id class="select select-sm" name=name>
                <option value="">"any"</option>
                {options}
            </select>
        </div>
    }
}

/// What the list is narrowed to, each with a way out.
#[component]
fn InUse(filter: Memo<Filter>) -> impl IntoView {
    move || {
        let used = filter.with(Filter::in_use);
        (!used.is_empty()).then(|| {
            let chips: Vec<_> = used
                .into_iter()
                .map(|(words, without)| {
                    let label = format!("Let go of {words}");
                    view! {
                        <a class="chip h-6!" href=without aria-label=label>
                            {words}
                            <Icon name="x" size=IconSize::Small/>
                        </a>
                    }
                })
                .collect();
            view! {
                <p class="flex flex-wrap items-center gap-2 mt-3 text-small text-ink-3">
                    "Only" {chips} <a class="alink" href="/">"Show everything"</a>
                </p>
            }
        })
    }
}
