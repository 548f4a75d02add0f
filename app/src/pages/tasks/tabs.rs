//! The parts of a task as links.
//!
//! **Invariant:** a tab that would be empty for every task of its kind is left out.

use super::api::TaskPage;
use super::wish::{Tab, tab_address};
use crate::memo::memo;
use leptos::prelude::*;

/// The row of tabs.
#[component]
pub fn Tabs(data: Signal<TaskPage>, tab: Memo<Tab>) -> impl IntoView {
    let id = data.with_untracked(|d| d.task.id);
    let again = memo(move |_| data.with(|d| d.task.jobs.iter().any(|j| j.attempt > 1)));
    let link = move |(this, word, name): (Tab, &'static str, &'static str)| {
        view! {
            <a href=tab_address(id, word) aria-current=move || (tab.get() == this).then_some("true")>
                {name}
            </a>
        }
    };
    view! {
        <nav class="viewtabs mt-5" aria-label="Parts of the task">
            {Tab::ALL.into_iter().filter(|t| t.0 != Tab::Attempts).map(link).collect_view()}
            {move || (again.get() || tab.get() == Tab::Attempts).then(|| link(Tab::ALL[3]))}
        </nav>
    }
}
