//! Status: colour, icon and word together, the same in tables, titles, pictures and favicons.
//!
//! **Invariant:** colour is never the only sign; an icon alone keeps its word for those who hear the page.

use super::Icon;
use domain::status::{AttemptStatus, Desired, JobStatus, Outcome, StepStatus, TaskStatus};
use leptos::prelude::*;

/// How a state looks and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its word on the page.
    pub word: &'static str,
    /// Its icon.
    pub icon: &'static str,
    /// Classes that colour it.
    pub class: &'static str,
    /// Class that fills pictures with it.
    pub fill: &'static str,
    /// Whether the icon turns.
    pub turns: bool,
}

const fn look(word: &'static str, icon: &'static str, class: &'static str, fill: &'static str) -> Look {
    Look {
        word,
        icon,
        class,
        fill,
        turns: false,
    }
}

impl Look {
    const RUNNING: Self = Self {
        word: "running",
        icon: "loader-circle",
        class: "st st-running",
        fill: "f-running",
        turns: true,
    };
    /// Over, its output still being completed.
    pub const FINALIZING: Self = Self {
        word: "finalizing",
        icon: "loader-circle",
        class: "st st-running",
        fill: "f-running",
        turns: true,
    };
    /// Wanted to end, still running.
    pub const ABORTING: Self = Self {
        word: "aborting",
        icon: "circle-stop",
        class: "st st-aborted",
        fill: "f-aborted",
        turns: false,
    };
    /// Waiting.
    pub const WAITING: Self = look("waiting", "hourglass", "st st-waiting", "f-waiting");
    /// Making ready.
    pub const PREPARING: Self = look("preparing", "package-open", "st st-preparing", "f-running");

    /// A task's look, with what is wanted of it.
    #[must_use]
    pub fn task(status: TaskStatus, desired: Desired) -> Self {
        if desired == Desired::Abort && !status.ended() {
            Self::ABORTING
        } else {
            status.into()
        }
    }
}

impl From<Outcome> for Look {
    fn from(o: Outcome) -> Self {
        match o {
            Outcome::Passed => look("passed", "circle-check", "st st-passed", "f-passed"),
            Outcome::Failed => look("failed", "circle-x", "st st-failed", "f-failed"),
            Outcome::Aborted => look("aborted", "circle-stop", "st st-aborted", "f-aborted"),
            Outcome::TimedOut => look("timed out", "timer-off", "st st-timed_out", "f-lost"),
            Outcome::Lost => look("lost", "unplug", "st st-lost", "f-lost"),
            Outcome::Skipped => look("skipped", "circle-slash", "st st-skipped", "f-waiting"),
        }
    }
}

impl From<TaskStatus> for Look {
    fn from(s: TaskStatus) -> Self {
        match s.outcome() {
            Some(o) => o.into(),
            None if s == TaskStatus::Pending => Self::WAITING,
            None => Self::RUNNING,
        }
    }
}

impl From<JobStatus> for Look {
    fn from(s: JobStatus) -> Self {
        match (s.outcome(), s) {
            (Some(o), _) => o.into(),
            (None, JobStatus::Pending) => Self::WAITING,
            (None, JobStatus::Preparing) => Self::PREPARING,
            (None, _) => Self::RUNNING,
        }
    }
}

impl From<StepStatus> for Look {
    fn from(s: StepStatus) -> Self {
        match s.outcome() {
            Some(o) => o.into(),
            None if s == StepStatus::Pending => Self::WAITING,
            None if s == StepStatus::Finalizing => Self::FINALIZING,
            None => Self::RUNNING,
        }
    }
}

impl From<(AttemptStatus, Option<Outcome>)> for Look {
    fn from((s, outcome): (AttemptStatus, Option<Outcome>)) -> Self {
        match (s, outcome) {
            (_, Some(o)) => o.into(),
            (AttemptStatus::Waiting, None) => Self::WAITING,
            (AttemptStatus::Assigned | AttemptStatus::Preparing, None) => Self::PREPARING,
            (AttemptStatus::Finalizing, None) => Self::FINALIZING,
            (_, None) => Self::RUNNING,
        }
    }
}

/// Icon and word.
#[component]
pub fn Status(
    /// How it looks.
    #[prop(into)]
    look: Look,
) -> impl IntoView {
    view! {
        <span class=look.class>
            <Icon name=look.icon turns=look.turns/>
            <span>{look.word}</span>
        </span>
    }
}

/// The icon alone; the word stays for those who hear the page.
#[component]
pub fn StatusIcon(
    /// How it looks.
    #[prop(into)]
    look: Look,
) -> impl IntoView {
    view! {
        <span class=look.class title=look.word>
            <Icon name=look.icon turns=look.turns/>
            <span class="sr-only">{look.word}</span>
        </span>
    }
}

/// A chip, for titles.
#[component]
pub fn StatusChip(
    /// How it looks.
    #[prop(into)]
    look: Look,
) -> impl IntoView {
    view! {
        <span class=look.class>
            <span class="chip chip-st">
                <Icon name=look.icon size=super::IconSize::Small turns=look.turns/>
                <span>{look.word}</span>
            </span>
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_state_has_a_word_and_aborting_shows_only_before_the_end() {
        for &s in TaskStatus::ALL {
            let plain = Look::from(s);
            let wanted = Look::task(s, Desired::Abort);
            assert_eq!(plain == wanted, s.ended(), "{s}");
            let word = if s == TaskStatus::Pending {
                "waiting".to_owned()
            } else {
                s.as_str().replace('_', " ")
            };
            assert_eq!(plain.word, word);
        }
    }
}
