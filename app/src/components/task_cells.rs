//! The two lines that name a task in every table: plan, number and job; branch and cause.
//!
//! **Invariant:** `#n` is the task's id and always a link to it.

use super::{Icon, IconSize};
use domain::TaskId;
use domain::task::{Cause, CauseKind};
use leptos::prelude::*;

/// Plan, number and, where it matters, the job.
#[component]
pub fn TaskName(
    /// The task.
    task: TaskId,
    /// The plan's name.
    #[prop(into)]
    plan: String,
    /// The job's name, when the row is about one job.
    #[prop(optional, into)]
    job: Option<String>,
) -> impl IntoView {
    view! {
        <span class="t1">
            <a href=format!("/tasks/{task}")>
                {plan} " " <span class="text-ink-3 font-[480]">"#"{task.0}</span>
            </a>
            {job
                .map(|job| {
                    view! {
                        <span class="text-ink-3 inline-flex">
                            <Icon name="chevron-right" size=IconSize::Small/>
                        </span>
                        <span class="font-[480] trunc">{job}</span>
                    }
                })}
        </span>
    }
}

/// Branch and cause.
#[component]
pub fn CauseLine(
    /// The branch, if the task has a source.
    branch: Option<String>,
    /// Why it exists.
    cause: Cause,
) -> impl IntoView {
    let icon = cause_icon(cause.kind);
    let words = cause_words(&cause);
    view! {
        <span class="t2">
            <span class="inl">
                <Icon name=if branch.is_some() { "git-branch" } else { icon }/>
                <span>{branch.unwrap_or_else(|| "no source".into())}</span>
            </span>
            <span class="sep">"·"</span>
            {match cause.firing_id {
                Some(firing) => view! { <a class="trunc hover:underline" href=format!("/firings/{firing}")>{words}</a> }.into_any(),
                None => view! { <span class="trunc">{words}</span> }.into_any(),
            }}
        </span>
    }
}

/// The icon of a kind of cause.
#[must_use]
pub fn cause_icon(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::Manual => "hand",
        CauseKind::Api => "braces",
        CauseKind::Rerun => "rotate-cw",
        CauseKind::Poll => "git-branch",
        CauseKind::Cron => "timer",
        CauseKind::Webhook => "webhook",
        CauseKind::Upstream => "cable",
    }
}

/// The cause in a few words, as `manual, ana`, `cron, nightly` or `rerun of #12 by ana`.
#[must_use]
pub fn cause_words(cause: &Cause) -> String {
    let kind = match cause.kind {
        CauseKind::Api => "API call",
        k => k.as_str(),
    };
    let of = cause.rerun_of.map(|id| format!(" of #{id}")).unwrap_or_default();
    match &cause.by {
        // Of a trigger it is its name, or who fired it by hand.
        Some(by) if cause.kind == CauseKind::Manual || cause.firing_id.is_some() => format!("{kind}, {by}"),
        Some(by) => format!("{kind}{of} by {by}"),
        None => format!("{kind}{of}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_read_as_sentences() {
        let cause = |kind, by: Option<&str>, of: Option<i64>| Cause {
            kind,
            by: by.map(Into::into),
            rerun_of: of.map(TaskId),
            firing_id: None,
            fork: None,
        };
        let fired = Cause {
            firing_id: Some(domain::FiringId(7)),
            fork: None,
            ..cause(CauseKind::Cron, Some("nightly"), None)
        };
        for (c, want) in [
            (fired, "cron, nightly"),
            (cause(CauseKind::Manual, Some("ana"), None), "manual, ana"),
            (cause(CauseKind::Api, Some("ops-bot"), None), "API call by ops-bot"),
            (cause(CauseKind::Rerun, Some("ana"), Some(12)), "rerun of #12 by ana"),
            (cause(CauseKind::Cron, None, None), "cron"),
        ] {
            assert_eq!(cause_words(&c), want);
        }
    }
}
