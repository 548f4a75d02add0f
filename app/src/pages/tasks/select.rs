//! Which step of a task is looked at when the reader has not chosen, and which one broke it.
//!
//! **Invariant:** pure; the server's first paint and the browser choose alike.

use domain::StepId;
use domain::status::{JobStatus, Outcome, StepStatus};
use domain::task::{JobView, StepView, TaskView};

/// A job's steps of every kind, in the order they run.
pub fn steps(job: &JobView) -> impl Iterator<Item = &StepView> {
    job.setup
        .iter()
        .chain(&job.steps)
        .chain(&job.services)
        .chain(&job.cleanup)
}

/// A step and its job.
pub fn find(task: &TaskView, step: StepId) -> Option<(&JobView, &StepView)> {
    task.jobs
        .iter()
        .find_map(|j| steps(j).find(|s| s.id == step).map(|s| (j, s)))
}

/// Whether an end is one that breaks what it is a part of.
pub fn is_bad(o: Option<Outcome>) -> bool {
    matches!(o, Some(Outcome::Failed | Outcome::TimedOut | Outcome::Lost))
}

/// What broke the task: the first job that ended badly, and the step that ended it, if one did.
pub fn broken(task: &TaskView) -> Option<(&JobView, Option<&StepView>)> {
    let job = task.jobs.iter().find(|j| is_bad(j.status.outcome()))?;
    // A step that may fail is to blame only when no other is.
    let of = |lenient: bool| steps(job).find(|s| is_bad(s.status.outcome()) && (lenient || !s.allow_failure));
    Some((job, of(false).or_else(|| of(true))))
}

/// The step to look at: the one that broke it, else the one that runs, else the last that did.
pub fn chosen(task: &TaskView) -> Option<StepId> {
    if let Some((job, step)) = broken(task) {
        let last = || steps(job).filter(|s| s.started_at.is_some()).last();
        if let Some(s) = step.or_else(last) {
            return Some(s.id);
        }
    }
    let begun = |s: &&StepView| !matches!(s.status, StepStatus::Pending | StepStatus::Skipped);
    let running = task
        .jobs
        .iter()
        .filter(|j| matches!(j.status, JobStatus::Running | JobStatus::Preparing));
    running
        .flat_map(steps)
        .find(|s| matches!(s.status, StepStatus::Running | StepStatus::Finalizing))
        .or_else(|| {
            // The plan's own steps say more than what cleans up behind them.
            let last = |own: bool| {
                let of = |j| {
                    steps(j)
                        .filter(begun)
                        .filter(|s| !own || s.kind == domain::status::StepKind::Step)
                        .last()
                };
                task.jobs.iter().rev().find_map(of)
            };
            last(true).or_else(|| last(false))
        })
        .or_else(|| {
            task.jobs
                .iter()
                .find_map(|j| j.steps.first().or_else(|| j.setup.first()))
        })
        .map(|s| s.id)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use domain::status::{Desired, StepKind, TaskStatus};
    use domain::task::{Cause, CauseKind, PlanRef};
    use domain::{AttemptId, JobId, PlanId, TaskId, Timestamp};

    pub fn step(id: i64, status: StepStatus) -> StepView {
        let begun = !matches!(status, StepStatus::Pending | StepStatus::Skipped);
        StepView {
            id: StepId(id),
            kind: StepKind::Step,
            name: format!("s{id}"),
            status,
            exit_code: (status == StepStatus::Failed).then_some(101),
            signal: None,
            error: None,
            allow_failure: false,
            started_at: begun.then_some(Timestamp(1_000)),
            finished_at: status.ended().then_some(Timestamp(61_000)),
            console_from: 0,
            bytes: 0,
            lines: 0,
        }
    }

    pub fn task(status: TaskStatus, jobs: Vec<(JobStatus, Vec<StepView>)>) -> TaskView {
        let job = |(i, (status, steps)): (usize, (JobStatus, Vec<StepView>))| JobView {
            id: JobId(i as i64),
            name: format!("j{i}"),
            status,
            reason: None,
            needs: vec![],
            image: None,
            attempt: 1,
            attempt_id: AttemptId(i as i64),
            agent: None,
            started_at: None,
            finished_at: None,
            setup: vec![],
            steps,
            services: vec![],
            cleanup: vec![],
        };
        TaskView {
            id: TaskId(1),
            plan: PlanRef {
                id: PlanId(1),
                name: "app".into(),
                revision: 1,
            },
            status,
            desired: Desired::Run,
            reason: None,
            awaits_approval: false,
            build: None,
            revision: None,
            branch: None,
            message: None,
            author: None,
            cause: Cause {
                kind: CauseKind::Api,
                by: None,
                rerun_of: None,
                firing_id: None,
                fork: None,
            },
            parameters: Default::default(),
            priority: 0,
            agent: None,
            created_at: Timestamp(0),
            started_at: None,
            finished_at: None,
            jobs: jobs.into_iter().enumerate().map(job).collect(),
            version: 1,
        }
    }

    #[test]
    fn the_step_to_look_at_is_the_one_that_matters() {
        use JobStatus as J;
        use StepStatus as S;
        let one = |job, steps: &[S]| {
            (
                job,
                steps
                    .iter()
                    .enumerate()
                    .map(|(i, s)| step(i as i64 + 1, *s))
                    .collect::<Vec<_>>(),
            )
        };
        for (jobs, want) in [
            (vec![one(J::Pending, &[S::Pending, S::Pending])], 1),
            (vec![one(J::Running, &[S::Passed, S::Running, S::Pending])], 2),
            (vec![one(J::Passed, &[S::Passed, S::Passed])], 2),
            (vec![one(J::Failed, &[S::Passed, S::Failed, S::Skipped])], 2),
            (vec![one(J::Aborted, &[S::Passed, S::Aborted, S::Skipped])], 2),
            (vec![one(J::Lost, &[S::Passed, S::Lost])], 2),
        ] {
            assert_eq!(
                chosen(&task(TaskStatus::Running, jobs.clone())),
                Some(StepId(want)),
                "{jobs:?}"
            );
        }
        let mut lenient = task(TaskStatus::Failed, vec![one(J::Failed, &[S::Failed, S::Failed])]);
        lenient.jobs[0].steps[0].allow_failure = true;
        assert_eq!(chosen(&lenient), Some(StepId(2)));
        assert_eq!(chosen(&task(TaskStatus::Pending, vec![])), None);
    }
}
