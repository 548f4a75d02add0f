//! What the last tasks of a plan say about it.
//!
//! **Invariant:** figures come only from tasks that ended by themselves; too few give none.

use domain::plan::view::PlanSummary;
use domain::status::Outcome;
use domain::task::TaskRef;
use domain::time::human_duration;

/// The usual duration of a task that passes, in milliseconds: the median of the last ones.
pub fn usual(tasks: &[TaskRef]) -> Option<i64> {
    let mut took: Vec<i64> = tasks
        .iter()
        .filter(|t| t.status.outcome() == Some(Outcome::Passed))
        .filter_map(|t| Some(t.finished_at?.since(t.started_at?).max(0)))
        .collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}

/// Whether a task ended by itself: not aborted, not skipped.
fn by_itself(task: &TaskRef) -> bool {
    !matches!(task.status.outcome(), None | Some(Outcome::Aborted | Outcome::Skipped))
}

/// Of the tasks that ended by themselves, how many per cent passed.
pub fn passed(tasks: &[TaskRef]) -> Option<usize> {
    let all = tasks.iter().filter(|t| by_itself(t)).count();
    let good = tasks
        .iter()
        .filter(|t| t.status.outcome() == Some(Outcome::Passed))
        .count();
    (all > 0).then(|| good * 100 / all)
}

/// Whether the newest task that ended by itself did not pass.
pub fn failing(plan: &PlanSummary) -> bool {
    plan.recent
        .iter()
        .find(|t| by_itself(t))
        .is_some_and(|t| t.status.outcome() != Some(Outcome::Passed))
}

/// The sentence beside the heading of one plan.
pub fn lead(plan: &PlanSummary) -> String {
    if !plan.enabled {
        return "It is switched off and takes no new tasks.".into();
    }
    let takes = usual(&plan.recent).map(|ms| format!("a task usually takes {}", human_duration(ms)));
    // A share of very few says nothing.
    let all = plan.recent.iter().filter(|t| by_itself(t)).count();
    let share = passed(&plan.recent).filter(|_| all > 2);
    match (share, takes) {
        (Some(p), Some(takes)) => format!("{p} % of the last {all} tasks passed; {takes}."),
        (Some(p), None) => format!("{p} % of the last {all} tasks passed."),
        (None, Some(takes)) => format!("{}.", takes.replacen('a', "A", 1)),
        (None, None) if plan.recent.is_empty() => "It has not run yet.".into(),
        (None, None) => String::new(),
    }
}

/// The last two parts of a source's path, as people name a repository; or what there is.
pub fn repository(url: &str) -> String {
    let path = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest.split_once('/').map_or(rest, |(_, p)| p));
    let path = path.split_once(':').map_or(path, |(_, p)| p);
    let path = path.trim_matches('/').trim_end_matches(".git").trim_end_matches('/');
    let mut parts: Vec<&str> = path.rsplit('/').take(2).collect();
    parts.reverse();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::status::TaskStatus;
    use domain::{TaskId, Timestamp};

    fn task(status: TaskStatus, ms: i64) -> TaskRef {
        TaskRef {
            id: TaskId(1),
            status,
            created_at: Timestamp(0),
            started_at: Some(Timestamp(0)),
            finished_at: status.ended().then_some(Timestamp(ms)),
            message: String::new(),
        }
    }

    #[test]
    fn figures_leave_out_what_people_ended() {
        let tasks = [
            task(TaskStatus::Running, 0),
            task(TaskStatus::Passed, 9_000),
            task(TaskStatus::Failed, 100),
            task(TaskStatus::Aborted, 1),
            task(TaskStatus::Passed, 5_000),
            task(TaskStatus::Passed, 7_000),
        ];
        assert_eq!((usual(&tasks), passed(&tasks)), (Some(7_000), Some(75)));
        assert_eq!((usual(&tasks[..1]), passed(&tasks[..1])), (None, None));
    }

    #[test]
    fn repositories_are_named_shortly() {
        for (url, want) in [
            ("https://git.example.org/money/ledger.git", "money/ledger"),
            ("git@git.example.org:money/ledger.git", "money/ledger"),
            ("ssh://git@git.example.org/a/b/c", "b/c"),
            ("/srv/git/app", "git/app"),
            ("file:///srv/app.git/", "srv/app"),
            ("https://example.org/app", "app"),
        ] {
            assert_eq!(repository(url), want, "{url}");
        }
    }
}
