//! A step of an earlier attempt: its attempt is put in the place of the job's current one, so that the whole page shows it.
//!
//! **Invariant:** pure; what is put back says that it is of the past, and names the attempt that took its place.

use super::select;
use domain::StepId;
use domain::status::{JobStatus, StepKind};
use domain::task::{AttemptView, TaskView};
use serde::{Deserialize, Serialize};

/// An earlier attempt that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its job's name.
    pub job: String,
    /// Its number.
    pub number: i64,
    /// What became of it, one sentence.
    pub reason: Option<String>,
    /// The number of the job's current attempt.
    pub current: i64,
}

/// Puts the attempt that this step is of into the task, if it is one of these.
pub fn put_back(task: &mut TaskView, attempts: Vec<AttemptView>, step: StepId) -> Option<Past> {
    let attempt = attempts.into_iter().find(|a| a.steps.iter().any(|s| s.id == step))?;
    let job = task.jobs.iter_mut().find(|j| j.id == attempt.job_id)?;
    let past = Past {
        job: job.name.clone(),
        number: attempt.number,
        reason: attempt.reason.clone(),
        current: job.attempt,
    };
    let of = |kind: StepKind| attempt.steps.iter().filter(|s| s.kind == kind).cloned().collect();
    (job.setup, job.steps) = (of(StepKind::Setup), of(StepKind::Step));
    (job.services, job.cleanup) = (of(StepKind::Service), of(StepKind::Cleanup));
    job.status = attempt.outcome.map_or(JobStatus::Running, JobStatus::from);
    (job.attempt, job.attempt_id) = (attempt.number, attempt.id);
    (job.started_at, job.finished_at) = (attempt.assigned_at, attempt.finished_at);
    (job.reason, job.agent) = (attempt.reason, attempt.agent);
    Some(past)
}

/// The step of an attempt to look at: the one that broke it, else the last that began.
pub fn step_of(attempt: &AttemptView) -> Option<StepId> {
    let begun = || attempt.steps.iter().filter(|s| s.started_at.is_some());
    let bad = |s: &&domain::task::StepView| select::is_bad(s.status.outcome()) && !s.allow_failure;
    begun().find(bad).or_else(|| begun().next_back()).map(|s| s.id)
}

#[cfg(test)]
mod tests {
    use super::super::select::tests::{step, task};
    use super::*;
    use domain::status::{AttemptStatus, Outcome, StepStatus, TaskStatus};
    use domain::{AttemptId, JobId};

    #[test]
    fn an_earlier_attempt_takes_the_place_of_the_current_one() {
        let mut now = task(
            TaskStatus::Passed,
            vec![(JobStatus::Passed, vec![step(7, StepStatus::Passed)])],
        );
        now.jobs[0].attempt = 2;
        let mut steps = vec![step(3, StepStatus::Passed), step(4, StepStatus::Lost)];
        steps[0].kind = StepKind::Setup;
        let old = AttemptView {
            id: AttemptId(11),
            job_id: JobId(0),
            number: 1,
            status: AttemptStatus::Ended,
            outcome: Some(Outcome::Lost),
            reason: Some("Its agent was not heard again.".into()),
            agent: None,
            epoch: 1,
            executor: None,
            assigned_at: None,
            lease_until: None,
            started_at: None,
            finished_at: None,
            console_bytes: 0,
            console_digest: None,
            gaps: 0,
            gap_bytes: 0,
            steps,
        };
        assert_eq!(step_of(&old), Some(StepId(4)));
        assert_eq!(put_back(&mut now.clone(), vec![old.clone()], StepId(99)), None);
        let past = put_back(&mut now, vec![old], StepId(4)).unwrap();
        assert_eq!((past.number, past.current), (1, 2));
        let job = &now.jobs[0];
        assert_eq!(
            (job.attempt, job.attempt_id, job.status),
            (1, AttemptId(11), JobStatus::Lost)
        );
        assert_eq!((job.setup.len(), job.steps.len()), (1, 1));
        assert!(select::find(&now, StepId(4)).is_some() && select::find(&now, StepId(7)).is_none());
    }
}
