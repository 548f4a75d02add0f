//! The head of a console: whose it is, how much there is, and its tools.
//!
//! **Invariant:** tools that need a script appear with it; the raw bytes are a plain link.

use super::row::{grouped, size};
use super::{Pill, Wires, screen};
use crate::browser;
use crate::components::{Icon, IconSize, Look, StatusIcon};
use crate::memo::memo;
use crate::pages::tasks::wish::step_address;
use domain::task::StepView;
use domain::{StepId, TaskId};
use leptos::prelude::*;

/// The head.
#[component]
pub fn Head(
    /// The task.
    task: TaskId,
    /// The job's name, when there are several.
    job: Option<String>,
    /// The step.
    step: Memo<Option<StepView>>,
    /// What the screen knows.
    wires: Wires,
    /// Whether times are shown.
    times: RwSignal<bool>,
    /// Whether a script runs.
    ready: RwSignal<bool>,
) -> impl IntoView {
    let id: StepId = wires.step;
    let mark = move || step.get().map(|s| view! { <StatusIcon look=Look::from(s.status)/> });
    let name = memo(move |_| step.with(|s| s.as_ref().map(|s| s.name.clone()).unwrap_or_default()));
    let bytes = memo(move |_| step.with(|s| s.as_ref().filter(|s| s.status.ended()).map_or(0, |s| s.bytes)));
    let meta = move || {
        let lines = match wires.total.get() {
            0 => "no output".to_owned(),
            1 => "1 line".to_owned(),
            n => format!("{} lines", grouped(n)),
        };
        match bytes.get() {
            0 => lines,
            b => format!("{lines}, {}", size(b)),
        }
    };
    let toggle = move |on: RwSignal<bool>, icon: &'static str, label: &'static str| {
        view! {
            <button
                type="button"
                class="btn btn-ghost btn-xs btn-square"
                aria-pressed=move || on.get().to_string()
                aria-label=label
                title=label
                on:click=move |_| on.update(|v| *v = !*v)
            >
                <Icon name=icon/>
            </button>
        }
    };
    let link = move || {
        let n = wires
            .marked
            .get()
            .or_else(|| Some(wires.total.get()).filter(|n| *n > 0))
            .unwrap_or(1);
        let label = format!("Copy a link to line {}", grouped(n));
        let copy = move |_| browser::copy(&format!("{}{}#L{n}", screen::origin(), step_address(task, id, None)));
        view! {
            <button type="button" class="btn btn-ghost btn-xs btn-square" aria-label=label.clone() title=label on:click=copy>
                <Icon name="link"/>
            </button>
        }
    };
    view! {
        <header class="con-head">
            <h3 class="inl gap-2! font-[600]">
                {mark}
                {job.map(|j| {
                    view! {
                        {j}
                        <span class="text-ink-3 inline-flex">
                            <Icon name="chevron-right" size=IconSize::Small/>
                        </span>
                    }
                })}
                <span>{name}</span>
            </h3>
            <span class="meta num">{meta}</span>
            <span class="con-tools">
                {move || {
                    ready
                        .get()
                        .then(|| {
                            view! {
                                {link}
                                {toggle(times, "clock", "Timestamps")}
                                {toggle(wires.wrap, "wrap-text", "Wrap lines")}
                            }
                        })
                }}
                <a
                    class="btn btn-ghost btn-xs btn-square"
                    href=format!("/api/v1/steps/{id}/console")
                    download=move || format!("{task}-{}.txt", file_name(&name.get()))
                    rel="external"
                    aria-label="Download the exact bytes"
                    title="Download the exact bytes"
                >
                    <Icon name="download"/>
                </a>
            </span>
        </header>
    }
}

/// A name that every file system takes.
fn file_name(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(60)
        .collect()
}

/// The button at the end: following, or how far away the end is.
#[component]
pub fn EndButton(
    /// What it says.
    pill: RwSignal<Pill>,
    /// Goes to the end.
    to_end: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    move || match pill.get() {
        Pill::None => ().into_any(),
        Pill::Following => view! {
            <span class="follow follow-on">
                <span class="live" aria-hidden="true"></span>
                "Following"
            </span>
        }
        .into_any(),
        Pill::Away(n) => {
            let words = match n {
                0 => "Jump to the end".to_owned(),
                1 => "1 new line".to_owned(),
                n => format!("{} new lines", grouped(n)),
            };
            view! {
                <button type="button" class="follow" on:click=move |_| to_end()>
                    <Icon name="arrow-down-to-line" size=IconSize::Small/>
                    {words}
                </button>
            }
            .into_any()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_has_a_name_that_files_can_have() {
        assert_eq!(file_name("cargo test --all / ä"), "cargo-test---all----");
    }
}
