//! The rules of the lifecycle, one by one: the task they are tried on.
//!
//! **Invariant:** time is passed in and nothing here draws randomness; `simulator` does the rest.

mod job;
mod report;
mod retry;
mod server;

use super::*;
use crate::status::{AttemptStatus, Desired, ExecutorKind, JobStatus, Outcome, StepKind, StepStatus, TaskStatus};
use crate::{AgentId, AttemptId, JobId, StepId, TaskId, Timestamp};

const AGENT: AgentId = AgentId(9);
const T0: Timestamp = Timestamp(1_000_000);

fn at(ms: i64) -> Timestamp {
    T0.plus(ms)
}

/// A task from `(key, needs, retry limit)`; each job has one set-up step and the plan steps `unit` and `lint` (which may
/// fail). Job n has attempt 10 n and steps 100 n + 1, 2, 3.
fn task(jobs: &[(&str, &[i64], u32)]) -> TaskState {
    let jobs = jobs.iter().zip(1..).map(|((key, needs, limit), n)| {
        let steps = vec![
            StepState::pending(StepId(100 * n + 1), StepKind::Setup, 0, "checkout", false),
            StepState::pending(StepId(100 * n + 2), StepKind::Step, 0, "unit", false),
            StepState::pending(StepId(100 * n + 3), StepKind::Step, 1, "lint", true),
        ];
        let retry = Retry {
            limit: *limit,
            on: vec![RetryOn::AgentLost],
        };
        let needs = needs.iter().map(|id| JobId(*id)).collect();
        JobState::waiting(
            JobId(n),
            *key,
            needs,
            retry,
            AttemptState::waiting(AttemptId(10 * n), 1, steps),
        )
    });
    TaskState::waiting(TaskId(1), jobs.collect())
}

fn assign(state: &mut TaskState, job: i64) -> Result<Vec<Effect>, Refused> {
    let lease_until = at(600_000);
    let event = Event::Assigned {
        job: JobId(job),
        agent: AGENT,
        epoch: 1,
        lease_until,
        timeout_ms: Some(1_800_000),
    };
    step(state, event, T0)
}

fn fence(job: i64) -> Fence {
    Fence {
        attempt: AttemptId(10 * job),
        epoch: 1,
    }
}

fn says(state: &mut TaskState, job: i64, event: AgentEvent) -> Result<Vec<Effect>, Refused> {
    step(
        state,
        Event::Agent {
            fence: fence(job),
            agent: AGENT,
            event,
        },
        at(5_000),
    )
}

fn prepare(state: &mut TaskState, job: i64) {
    assign(state, job).unwrap();
    says(
        state,
        job,
        AgentEvent::Preparing {
            executor: ExecutorKind::Docker,
        },
    )
    .unwrap();
}

fn begin(n: i64) -> AgentEvent {
    AgentEvent::StepStarted {
        step: StepId(n),
        from: 0,
        at: at(1_000),
    }
}

fn end(n: i64, exit: Exit) -> AgentEvent {
    AgentEvent::StepEnded {
        step: StepId(n),
        exit,
        until: 0,
        at: at(2_000),
    }
}

fn over(aborted: bool) -> AgentEvent {
    AgentEvent::Ended {
        aborted,
        error: None,
        at: at(3_000),
    }
}

/// Runs a prepared job through its steps with these exits, then ends it.
fn run(state: &mut TaskState, job: i64, exits: &[Exit]) -> Vec<Effect> {
    prepare(state, job);
    for (exit, n) in exits.iter().zip(1..) {
        if !matches!(exit, Exit::Skipped(_)) {
            says(state, job, begin(100 * job + n)).unwrap();
        }
        says(state, job, end(100 * job + n, exit.clone())).unwrap();
    }
    says(state, job, over(false)).unwrap()
}

const OK: Exit = Exit::Exited(0);
