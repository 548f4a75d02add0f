//! What of a task is wanted, as its address says.
//!
//! **Invariant:** the address is the whole state of the page but for how far one has scrolled.

use crate::address::address;
use domain::{StepId, TaskId};
use leptos_router::params::ParamsMap;

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Jobs, steps, console.
    Steps,
    /// The document that was run.
    Plan,
    /// What happened.
    Events,
    /// Every attempt.
    Attempts,
}

impl Tab {
    /// Every tab with its word in the address and its words on the page.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Steps, "", "Steps"),
        (Self::Plan, "plan", "Plan"),
        (Self::Events, "events", "Events"),
        (Self::Attempts, "attempts", "Attempts"),
    ];
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The task; what stands in the address where that is no number.
    pub task: Result<TaskId, String>,
    /// The step, when one is chosen.
    pub step: Option<StepId>,
    /// The first line, when it is not the end that is wanted.
    pub from: Option<i64>,
    /// The tab.
    pub tab: Tab,
}

impl Wish {
    /// Reads the address.
    pub fn of(params: &ParamsMap, query: &ParamsMap) -> Self {
        let id = params.get("id").unwrap_or_default();
        let word = query.get("tab").unwrap_or_default();
        Self {
            task: id.parse().map_err(|_| id),
            step: query.get("step").and_then(|s| s.parse().ok()),
            from: query.get("from").and_then(|s| s.parse().ok()).filter(|n| *n >= 1),
            tab: Tab::ALL
                .into_iter()
                .find(|(_, w, _)| *w == word)
                .map_or(Tab::Steps, |(tab, ..)| tab),
        }
    }

    /// The tab's word.
    pub fn word(&self) -> &'static str {
        Tab::ALL
            .into_iter()
            .find(|(tab, ..)| *tab == self.tab)
            .map_or("", |(_, word, _)| word)
    }
}

/// The address of a tab.
pub fn tab_address(task: TaskId, word: &str) -> String {
    address(&format!("/tasks/{task}"), [("tab", word)])
}

/// The address of a step, and of a line in it.
pub fn step_address(task: TaskId, step: StepId, from: Option<i64>) -> String {
    let from = from.map(|n| n.to_string()).unwrap_or_default();
    address(
        &format!("/tasks/{task}"),
        [("step", step.to_string().as_str()), ("from", from.as_str())],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> ParamsMap {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let w = Wish::of(
            &map(&[("id", "12")]),
            &map(&[("step", "7"), ("from", "100"), ("tab", "plan")]),
        );
        assert_eq!(
            w,
            Wish {
                task: Ok(TaskId(12)),
                step: Some(StepId(7)),
                from: Some(100),
                tab: Tab::Plan
            }
        );
        let w = Wish::of(
            &map(&[("id", "x")]),
            &map(&[("step", "y"), ("from", "-4"), ("tab", "z")]),
        );
        assert_eq!(
            w,
            Wish {
                task: Err("x".into()),
                step: None,
                from: None,
                tab: Tab::Steps
            }
        );
        assert_eq!(
            step_address(TaskId(12), StepId(7), Some(100)),
            "/tasks/12?step=7&from=100"
        );
        assert_eq!(tab_address(TaskId(12), ""), "/tasks/12");
    }
}
