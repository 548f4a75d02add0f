//! The rules of placement, one by one.
//!
//! **Invariant:** each rule is tried through `place` itself, as the scheduler calls it.

mod sentence;

use super::*;
use crate::label::Condition;
use crate::queue::ReasonCode;
use crate::status::{AgentStatus, Availability, ExecutorKind};
use crate::{AgentId, AttemptId, JobId, TaskId, Timestamp};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_000);

fn agent(id: i64, name: &str, slots: u32, busy: usize, labels: &[(&str, &str)]) -> Agent {
    Agent {
        id: AgentId(id),
        name: name.into(),
        status: AgentStatus::Online,
        availability: Availability::Active,
        note: None,
        slots,
        busy: vec![
            Busy {
                task: TaskId(1),
                job: JobId(1)
            };
            busy
        ],
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        executors: vec![ExecutorKind::Docker, ExecutorKind::Process],
        engine_error: None,
        disk_full: false,
        builtin: name == "builtin",
    }
}

fn wish(conditions: &[&str]) -> Arc<Wish> {
    wish_by(conditions, None, false)
}

fn wish_by(conditions: &[&str], executor: Option<ExecutorKind>, image: bool) -> Arc<Wish> {
    let read = |text: &&str| {
        let (key, rest) = text.split_once(' ').unwrap();
        let (op, value) = rest.split_once(' ').unwrap();
        Condition {
            key: key.into(),
            equal: op == "==",
            value: value.into(),
        }
    };
    Arc::new(Wish::new(conditions.iter().map(read).collect(), executor, image))
}

fn job(id: i64, wish: &Arc<Wish>) -> Waiting {
    Waiting {
        job: JobId(id),
        task: TaskId(id),
        attempt: AttemptId(id * 10),
        priority: 0,
        ready_at: Timestamp(id),
        unmet: Vec::new(),
        wish: wish.clone(),
        held: None,
        not_before: None,
    }
}

fn placed(plan: &Plan) -> Vec<(i64, i64)> {
    plan.placements.iter().map(|p| (p.job.0, p.agent.0)).collect()
}

fn why(agents: &[Agent], wish: &Arc<Wish>) -> (ReasonCode, String) {
    let plan = place(agents, &[job(5, wish)], NOW);
    let (_, why) = plan.reasons().next().expect("the job is not placed");
    (why.code, why.sentence.clone())
}

#[test]
fn jobs_spread_over_the_least_busy_agents_that_fit() {
    let any = wish(&[]);
    let jobs: Vec<Waiting> = (1..=6).map(|id| job(id, &any)).collect();
    let agents = [
        agent(1, "a", 4, 2, &[]),
        agent(2, "b", 2, 0, &[]),
        agent(3, "c", 1, 0, &[]),
    ];
    let plan = place(&agents, &jobs, NOW);
    assert_eq!(placed(&plan), [(1, 2), (2, 3), (3, 1), (4, 2), (5, 1)]);
    let left: Vec<_> = plan.reasons().map(|(id, why)| (id.0, why.code)).collect();
    assert_eq!(left, [(6, ReasonCode::Slots)]);
    assert_eq!(plan.placements[0].attempt, AttemptId(10));
}

#[test]
fn a_job_that_fits_nowhere_holds_up_nobody() {
    let (gpu, any) = (wish(&["gpu == yes"]), wish(&[]));
    let jobs = [job(1, &gpu), job(2, &gpu), job(3, &any)];
    let plan = place(&[agent(1, "a", 1, 0, &[])], &jobs, NOW);
    assert_eq!(placed(&plan), [(3, 1)]);
    assert_eq!(plan.reasons().count(), 2);
}

#[test]
fn who_may_run_what() {
    use ExecutorKind::{Docker, Process, Scripted};
    let mut processes = agent(1, "a", 1, 0, &[("os", "linux")]);
    processes.executors = vec![Process];
    let both = agent(2, "b", 1, 0, &[("os", "linux")]);
    let builtin = agent(3, "builtin", 1, 0, &[("os", "linux")]);
    let mut script = agent(4, "s", 1, 0, &[("os", "linux")]);
    script.executors = vec![Scripted];
    let table: [(Arc<Wish>, &[i64]); 9] = [
        (wish(&[]), &[1, 2, 3, 4]),
        (wish(&["os == linux"]), &[1, 2, 3, 4]),
        (wish(&["os != linux"]), &[]),
        (wish(&["pool != slow"]), &[1, 2, 3, 4]),
        (wish(&["agent == b"]), &[2]),
        (wish_by(&[], None, true), &[2, 3, 4]),
        (wish_by(&[], Some(Docker), false), &[2, 3]),
        (wish_by(&[], Some(Process), false), &[1, 3]),
        (wish_by(&["agent != s"], Some(Scripted), false), &[]),
    ];
    let agents = [processes, both, builtin, script];
    for (wish, fitting) in table {
        let found: Vec<i64> = fits(&wish, &agents)
            .iter()
            .filter(|fit| fit.fits)
            .map(|fit| fit.id.0)
            .collect();
        assert_eq!(found, fitting, "{wish:?}");
        for agent in &agents {
            let taken = !place(std::slice::from_ref(agent), &[job(1, &wish)], NOW)
                .placements
                .is_empty();
            assert_eq!(taken, fitting.contains(&agent.id.0), "{wish:?} on {}", agent.name);
        }
    }
}

#[test]
fn ten_thousand_like_jobs_share_one_reason() {
    let shared = wish(&["os == linux"]);
    let jobs: Vec<Waiting> = (1..=10_000)
        .map(|id| {
            if id % 2 == 0 {
                job(id, &shared)
            } else {
                job(id, &wish(&["os == linux"]))
            }
        })
        .collect();
    let plan = place(&[agent(1, "a", 8, 0, &[("os", "linux")])], &jobs, NOW);
    assert_eq!((plan.placements.len(), plan.reasons().len()), (8, 9_992));
    let first = plan.reasons().next().unwrap().1;
    assert!(
        plan.reasons().all(|(_, why)| std::ptr::eq(why, first)),
        "equal wishes are examined once"
    );
}

#[test]
fn the_queue_goes_by_priority_then_age_then_id() {
    let any = wish(&[]);
    let mut jobs = [job(1, &any), job(2, &any), job(3, &any), job(4, &any)];
    (jobs[3].priority, jobs[1].ready_at, jobs[0].ready_at) = (5, Timestamp(0), Timestamp(3));
    jobs.sort_by_key(Waiting::rank);
    assert_eq!(jobs.map(|job| job.job.0), [4, 2, 1, 3]);
}
