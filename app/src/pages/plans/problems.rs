//! What is wrong with a document, as a list above it, each entry a way to its line.
//!
//! **Invariant:** the list stands whether or not a script runs; a script only moves the caret.

use crate::browser;
use crate::components::Icon;
use domain::Problem;
use leptos::prelude::*;

/// The list; nothing when nothing is wrong.
#[component]
pub fn Problems(
    /// What is wrong.
    #[prop(into)]
    of: Signal<Vec<Problem>>,
    /// Id of the text area that its places are in.
    field: &'static str,
) -> impl IntoView {
    move || {
        let all = of.get();
        (!all.is_empty()).then(|| {
            let head = if all.len() == 1 {
                "One thing is wrong".to_owned()
            } else {
                format!("{} things are wrong", all.len())
            };
            let items: Vec<_> = all
                .into_iter()
                .map(|p| view! { <li class="flex gap-2">{entry(p, field)}</li> })
                .collect();
            view! {
                <section class="note note-st st-failed mb-4" role="alert" aria-labelledby="problems">
                    <Icon name="circle-x"/>
                    <div class="min-w-0 grid gap-1">
                        <h2 id="problems" class="text-table! font-[600]">{head}</h2>
                        <ol class="grid gap-1 text-table">{items}</ol>
                    </div>
                </section>
            }
        })
    }
}

fn entry(p: Problem, field: &'static str) -> impl IntoView {
    let place = p.line.zip(p.column).map(|(line, column)| {
        let go = move |ev: leptos::ev::MouseEvent| {
            if browser::show_place(field, line, column) {
                ev.prevent_default();
            }
        };
        view! {
            <a class="alink num whitespace-nowrap shrink-0" href=format!("#line-{line}") on:click=go>
                "Line "{line}", column "{column}
            </a>
        }
    });
    let named = (p.line.is_none() && !p.path.is_empty()).then(|| format!("{}: ", p.path));
    view! {
        {place}
        <span class="min-w-0 text-base-content">
            {named} {marked(&p.message)} " " <span class="text-ink-2">{marked(p.hint.as_deref().unwrap_or_default())}</span>
        </span>
    }
}

/// A sentence whose words between backticks are set as code.
fn marked(text: &str) -> Vec<AnyView> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(i, part)| {
            let part = part.to_owned();
            if i % 2 == 1 {
                view! { <code>{part}</code> }.into_any()
            } else {
                part.into_any()
            }
        })
        .collect()
}
