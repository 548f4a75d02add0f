//! The last tasks of a plan as bars: height is duration, colour the outcome.
//!
//! **Invariant:** newest at the right; the group is one sentence to those who hear the page, each bar a link.

use super::Look;
use crate::browser;
use domain::task::TaskRef;
use domain::time::human_duration;
use leptos::prelude::*;

const HEIGHT: i64 = 28;

/// Bars of up to 30 tasks.
#[component]
pub fn RunBars(
    /// Newest first.
    tasks: Vec<TaskRef>,
    /// The plan's name.
    #[prop(into)]
    plan: String,
) -> impl IntoView {
    let took = |t: &TaskRef| Some(t.finished_at?.since(t.started_at?).max(0));
    let longest = tasks.iter().filter_map(took).max().unwrap_or(0).max(1);
    let shown = tasks.len().min(30);
    let passed = tasks.iter().filter(|t| Look::from(t.status).word == "passed").count();
    let bars: Vec<_> = tasks
        .into_iter()
        .take(30)
        .rev()
        .enumerate()
        .map(|(i, t)| {
            let look = Look::from(t.status);
            // A bar of 6 px at least, so that the shortest can still be seen and hit.
            let height = took(&t).map_or(10, |ms| 6 + ms * (HEIGHT - 8) / longest);
            let label = match took(&t) {
                Some(ms) => format!("#{} {}, {}", t.id, look.word, human_duration(ms)),
                None => format!("#{} {}", t.id, look.word),
            };
            view! {
                <a href=format!("/tasks/{}", t.id) tabindex=if i + 1 == shown { "0" } else { "-1" } aria-label=label.clone()>
                    <rect class=look.fill x=i * 7 y=HEIGHT - height width="5" height=height rx="1">
                        <title>{label.clone()}</title>
                    </rect>
                </a>
            }
        })
        .collect();
    let width = (shown * 7).max(1);
    view! {
        <svg
            class="pic runs"
            width=width
            height=HEIGHT
            viewBox=format!("0 0 {width} {HEIGHT}")
            role="group"
            on:keydown=|ev| browser::step_focus(&ev)
            aria-label=format!("The last {shown} tasks of {plan}: {passed} passed")
        >
            {bars}
        </svg>
    }
}
