//! Abort and rerun.

use crate::support::{Database, World, on_both};
use domain::Error;
use domain::status::{Desired, JobStatus, TaskStatus};
use domain::task::CauseKind;
use protocol::ToAgent;

on_both!(
    a_waiting_task_is_aborted_at_once,
    a_running_task_is_aborting_until_its_agent_confirms,
    a_rerun_is_of_the_tasks_own_snapshot,
);

const TWO: &str = "name: two\njobs:\n  a: {steps: [{run: a}]}\n  b: {steps: [{run: b}]}\n";

async fn a_waiting_task_is_aborted_at_once(database: Database) {
    let w = World::on(database).await;
    let plan = w.plan(TWO).await;
    let task = w.run(plan).await;
    let gone = w.engine.ports.tasks.abort(&w.ana, task.id).await.unwrap();
    assert_eq!(gone.status, TaskStatus::Aborted);
    assert!(gone.jobs.iter().all(|j| j.status == JobStatus::Aborted));
    assert!(w.engine.ports.queue.waiting(&w.ana).await.unwrap().is_empty());
    // Twice is harmless.
    assert_eq!(
        w.engine.ports.tasks.abort(&w.ana, task.id).await.unwrap().status,
        TaskStatus::Aborted
    );
    let missing = w.engine.ports.tasks.abort(&w.ana, domain::TaskId(99)).await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}

async fn a_running_task_is_aborting_until_its_agent_confirms(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(TWO).await;
    let task = w.run(plan).await;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    let asked = w.engine.ports.tasks.abort(&w.ana, task.id).await.unwrap();
    assert_eq!((asked.status, asked.desired), (TaskStatus::Running, Desired::Abort));
    assert_eq!(asked.jobs[1].status, JobStatus::Aborted, "what waited is gone at once");
    agent
        .hear_that(|m| matches!(m, ToAgent::Abort { fence } if *fence == a.fence).then_some(()))
        .await;
    agent.end(a.fence, true).await;
    assert_eq!(w.states(task.id).await.0, TaskStatus::Aborted);
}

async fn a_rerun_is_of_the_tasks_own_snapshot(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(2, &[]).await;
    let plan = w.plan(TWO).await;
    let first = w.run(plan).await;
    let (a, b) = (agent.assignment().await, agent.assignment().await);
    agent.run(&a, 1).await;
    agent.run(&b, 0).await;
    let before = w.engine.ports.plans.get(&w.ana, plan).await.unwrap();
    let save = domain::plan::view::SavePlan {
        version: before.summary.version,
        document: "name: two\nsteps: [{run: other}]\n".into(),
        ..Default::default()
    };
    w.engine.ports.plans.save(&w.ana, plan, save).await.unwrap();
    let again = w.engine.ports.tasks.rerun(&w.ana, first.id, false).await.unwrap();
    assert_eq!(again.plan.revision, 1, "the plan's new revision does not matter");
    assert_eq!(again.jobs.len(), 2);
    assert_eq!(
        (again.cause.kind, again.cause.rerun_of),
        (CauseKind::Rerun, Some(first.id))
    );
    for _ in 0..2 {
        let x = agent.assignment().await;
        agent.run(&x, 0).await;
    }
    let failed = w.engine.ports.tasks.rerun(&w.ana, first.id, true).await.unwrap();
    assert_eq!(
        failed.jobs[1].status,
        JobStatus::Passed,
        "b passed and is not run again"
    );
    let x = agent.assignment().await;
    assert_eq!(x.env["CARACAL_JOB"], "a");
    agent.run(&x, 0).await;
    assert_eq!(w.states(failed.id).await.0, TaskStatus::Passed);
    let nothing = w.engine.ports.tasks.rerun(&w.ana, again.id, true).await;
    assert!(matches!(nothing, Err(Error::Conflict(_))), "{nothing:?}");
}
