//! The favicon carries the state of what the page is about.
//!
//! **Invariant:** each state has a sign of its own beside its colour.

use crate::memo::memo;
use domain::status::{Outcome, TaskStatus};
use leptos::prelude::*;
use leptos_meta::Link;

/// What the favicon says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sign {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Something waits.
    Waiting,
    /// Something runs.
    Running,
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was aborted.
    Aborted,
    /// It was lost or timed out.
    Lost,
}

impl From<TaskStatus> for Sign {
    fn from(s: TaskStatus) -> Self {
        match (s.outcome(), s) {
            (None, TaskStatus::Pending) => Self::Waiting,
            (None, _) => Self::Running,
            (Some(Outcome::Passed), _) => Self::Passed,
            (Some(Outcome::Failed), _) => Self::Failed,
            (Some(Outcome::Aborted), _) => Self::Aborted,
            (Some(Outcome::TimedOut | Outcome::Lost), _) => Self::Lost,
            (Some(Outcome::Skipped), _) => Self::Plain,
        }
    }
}

impl Sign {
    const fn href(self) -> &'static str {
        match self {
            Self::Plain => "/favicon.svg",
            Self::Waiting => "/favicon-waiting.svg",
            Self::Running => "/favicon-running.svg",
            Self::Passed => "/favicon-passed.svg",
            Self::Failed => "/favicon-failed.svg",
            Self::Aborted => "/favicon-aborted.svg",
            Self::Lost => "/favicon-lost.svg",
        }
    }
}

/// Sets the favicon; put one on each page.
#[component]
pub fn Favicon(
    /// What it says.
    #[prop(into)]
    sign: Signal<Sign>,
) -> impl IntoView {
    let sign = memo(move |_| sign.get());
    move || view! { <Link rel="icon" type_="image/svg+xml" href=sign.get().href()/> }
}
