//! The text area of a plan document: numbered lines, wrong ones marked, checked while one writes.
//!
//! **Invariant:** without a script it is a plain text area of a plain form; the check only adds to it.

use super::api::check_plan;
use super::problems::Problems;
use crate::browser;
use crate::components::{Icon, IconSize};
use crate::error::Error;
use crate::memo::memo;
use domain::Problem;
use domain::plan::view::PlanCheck;
use leptos::html::Textarea;
use leptos::prelude::*;

/// Id of the text area.
pub const FIELD: &str = "document";
/// Pixels of a line, and above the first one.
const LINE: u32 = 20;
const ABOVE: u32 = 8;
/// Milliseconds without a key before the document is checked.
const PAUSE: u32 = 350;

/// The editor with everything that is wrong above it.
#[component]
pub fn Editor(
    /// What stands in it at first.
    text: String,
    /// Why the last try to save was refused.
    refused: Signal<Option<Error>>,
) -> impl IntoView {
    let written = RwSignal::new(text.clone());
    let area = NodeRef::<Textarea>::new();
    let check = Action::new(|text: &String| check_plan(text.clone()));
    // What was typed before the script came is taken over; each change is checked after a pause.
    Effect::new(move || {
        if let Some(area) = area.get() {
            written.set(area.value());
        }
    });
    Effect::new(move || {
        let text = written.get();
        browser::after(PAUSE, move || {
            check.dispatch(text);
        });
    });
    let checked = Signal::derive(move || check.value().get().and_then(Result::ok));
    let problems = memo(move |_| shown(checked.get(), refused.get()));
    let lines = memo(move |_| written.with(|t| t.split('\n').count() as u32));
    let numbers = move || (1..=lines.get() + 60).map(|n| format!("{n}\n")).collect::<String>();
    let marks = move || {
        let wrong = problems.with(|all| {
            all.iter()
                .filter_map(|p| p.line)
                .collect::<std::collections::BTreeSet<_>>()
        });
        wrong.into_iter().map(mark).collect::<Vec<_>>()
    };
    view! {
        <Problems of=problems field=FIELD/>
        <div class="panes">
            <div class="pane">
                <div class="pane-head">
                    <h2 class="text-table!">
                        <label for=FIELD>"Plan document"</label>
                    </h2>
                    <State checked/>
                    <span class="ms-auto t2">
                        <Icon name="file-code" size=IconSize::Small/>
                        <span>"YAML"</span>
                    </span>
                </div>
                <div class="relative flex-1 grid bg-(--console) font-mono text-console leading-5">
                    <svg class="pic absolute inset-0 size-full" aria-hidden="true">{marks}</svg>
                    <pre class="absolute inset-y-0 start-0 w-11 py-2 overflow-hidden text-end text-ink-3 select-none leading-5" aria-hidden="true">
                        {numbers}
                    </pre>
                    <textarea
                        id=FIELD
                        name="document"
                        node_ref=area
                        class="relative block w-full min-h-[420px] ps-14 pe-4 py-2 bg-transparent whitespace-pre overflow-x-auto field-sizing-content resize-none leading-5 -outline-offset-2 [font-variant-ligatures:none]"
                        rows=move || lines.get().max(20).to_string()
                        spellcheck="false"
                        autocapitalize="off"
                        autocomplete="off"
                        required=true
                        aria-invalid=move || problems.with(|p| !p.is_empty()).then_some("true")
                        on:input:target=move |ev| written.set(ev.target().value())
                    >
                        {text}
                    </textarea>
                </div>
            </div>
            <super::guide::Guide/>
        </div>
    }
}

/// The latest word on the document: of the check while one writes, else of the refusal; and of the refusal whatever
/// concerns other fields.
fn shown(checked: Option<PlanCheck>, refused: Option<Error>) -> Vec<Problem> {
    let refused = refused.map(|e| e.problems().to_vec()).unwrap_or_default();
    match checked {
        Some(c) => c
            .errors
            .into_iter()
            .chain(refused.into_iter().filter(|p| p.line.is_none()))
            .collect(),
        None => refused,
    }
}

/// The band behind a wrong line; also where `#line-n` leads.
fn mark(line: u32) -> impl IntoView {
    let y = ABOVE + (line - 1) * LINE;
    view! {
        <g id=format!("line-{line}")>
            <rect class="f-failed" opacity="0.12" x="0" y=y width="100%" height=LINE></rect>
            <rect class="f-failed" x="0" y=y width="3" height=LINE></rect>
        </g>
    }
}

/// What the check says in a word; nothing until there was one.
#[component]
fn State(checked: Signal<Option<PlanCheck>>) -> impl IntoView {
    let words = move || {
        checked.get().map(|c| {
            let (class, icon, words) = if c.valid {
                let jobs = match (&c.file, c.jobs.len()) {
                    (Some(file), _) => format!("the rest is in {file}"),
                    (None, 1) => "1 job".to_owned(),
                    (None, n) => format!("{n} jobs"),
                };
                ("st st-passed", "circle-check", format!("valid, {jobs}"))
            } else {
                let n = c.errors.len();
                (
                    "st st-failed",
                    "circle-x",
                    if n == 1 {
                        "1 error".into()
                    } else {
                        format!("{n} errors")
                    },
                )
            };
            view! {
                <span class=class>
                    <Icon name=icon size=IconSize::Small/>
                    <span>{words}</span>
                </span>
            }
        })
    };
    view! { <span class="text-small" role="status">{words}</span> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_speaks_for_the_text_and_the_refusal_for_the_rest() {
        let at = |line| Problem {
            line,
            ..Problem::field(if line.is_some() { "steps" } else { "description" }, "wrong")
        };
        let refused = Error::Domain(domain::Error::Invalid {
            detail: "two".into(),
            problems: vec![at(Some(3)), at(None)],
        });
        assert_eq!(shown(None, Some(refused.clone())).len(), 2);
        let fine = PlanCheck {
            valid: true,
            errors: vec![],
            name: None,
            jobs: vec![],
            file: None,
        };
        assert_eq!(shown(Some(fine), Some(refused)), vec![at(None)]);
    }
}
