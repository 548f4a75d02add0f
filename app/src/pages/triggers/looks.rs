//! How triggers and firings look: icons and words of kinds, verdicts and healths, and sentences with names in them.
//!
//! **Invariant:** colour is never the only sign, and every state has a word.

use crate::components::{Look, StatusIcon, Time};
use domain::trigger::{Health, HealthState, Kind, StartedTask, Verdict};
use leptos::prelude::*;

/// The icon of a kind.
pub fn kind_icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Poll => "git-branch",
        Kind::Cron => "timer",
        Kind::Webhook => "webhook",
        Kind::Upstream => "cable",
    }
}

const fn look(word: &'static str, icon: &'static str, class: &'static str) -> Look {
    Look {
        word,
        icon,
        class,
        fill: "f-waiting",
        turns: false,
    }
}

/// How a verdict looks.
pub fn verdict_look(verdict: Verdict) -> Look {
    match verdict {
        Verdict::Started => look("started", "zap", "st st-passed"),
        Verdict::Held => look("waits", "hourglass", "st st-waiting"),
        Verdict::Nothing => look("started nothing", "circle-minus", "st st-skipped"),
        Verdict::Error => look("went wrong", "circle-x", "st st-failed"),
    }
}

/// How a firing looks in a list: as its task stands, or what came of it where there is none.
pub fn firing_look(verdict: Verdict, task: Option<&StartedTask>) -> Look {
    match task {
        Some(task) => task.status.into(),
        None => verdict_look(verdict),
    }
}

/// A task as what it did: `#12 passed`, `#13 runs`.
pub fn task_words(task: &StartedTask) -> String {
    let look = Look::from(task.status);
    let did = match look.word {
        "waiting" => "waits",
        "running" => "runs",
        other => other,
    };
    format!("#{} {did}", task.id)
}

fn health_look(state: HealthState) -> Option<Look> {
    match state {
        HealthState::Well => Some(look("well", "check", "text-ink-2")),
        HealthState::Unwell => Some(look("unwell", "triangle-alert", "text-failed")),
        HealthState::Waiting => Some(look("waiting", "hourglass", "text-ink-3")),
        HealthState::Off => None,
    }
}

/// Health in an icon and words; nothing for a trigger that is off.
#[component]
pub fn HealthMark(health: Health) -> impl IntoView {
    health_look(health.state).map(|look| {
        let class = format!("inl gap-1.5! text-small {}", look.class);
        view! {
            <span class=class>
                <StatusIcon look=Look { class: "inline-flex", ..look }/>
                <span>{health.said} {health.at.map(|at| view! { " " <Time at/> })}</span>
            </span>
        }
    })
}

/// A sentence in which names stand between backticks, as text and code.
pub fn ticked(text: &str) -> Vec<AnyView> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(i, part)| match i % 2 {
            0 => part.to_owned().into_any(),
            _ => view! { <code class="wrap-anywhere">{part.to_owned()}</code> }.into_any(),
        })
        .collect()
}

/// What follows "because" in the reason of a firing that started nothing; the whole reason where it says it otherwise.
pub fn because(reason: &str) -> &str {
    let rest = reason.strip_prefix("Nothing was started, because ").unwrap_or(reason);
    rest.strip_suffix('.').unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TaskId;
    use domain::status::TaskStatus;

    #[test]
    fn what_started_nothing_is_told_in_few_words() {
        for (reason, want) in [
            (
                "Nothing was started, because branch `feature/x` is not `main`.",
                "branch `feature/x` is not `main`",
            ),
            ("It starts when #3 has ended.", "It starts when #3 has ended"),
            ("", ""),
        ] {
            assert_eq!(because(reason), want);
        }
        let task = |status| StartedTask {
            id: TaskId(12),
            status,
            took_ms: None,
        };
        assert_eq!(task_words(&task(TaskStatus::Pending)), "#12 waits");
        assert_eq!(task_words(&task(TaskStatus::TimedOut)), "#12 timed out");
    }
}
