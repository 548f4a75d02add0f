//! The server's clock is set, far forward or far back: nothing ends of it, nothing starts, and leases last as long as before.

use crate::support::{Database, FakeAgent, World, on_both};
use domain::status::{JobStatus, TaskStatus};
use engine::dispatch::Settings;
use protocol::{Exit, ToAgent};

on_both!(
    a_clock_that_is_set_ends_nothing_and_lengthens_nothing,
    a_job_held_back_stays_so_for_the_time_that_was_left,
);

const DAY: i64 = 86_400_000;

async fn a_clock_that_is_set_ends_nothing_and_lengthens_nothing(database: Database) {
    let w = World::on(database).await;
    let lease = Settings::default().lease_ms;
    let (one, secret) = w.engine.builtin_agent().await.unwrap();
    let (two, key) = w.register("two").await;
    let connected = FakeAgent::connect(&w.engine, one, &secret, 1, &[("pool", "a")], Vec::new());
    let mut connected = connected.await;
    let mut away = FakeAgent::connect(&w.engine, two, &key, 1, &[("pool", "b")], Vec::new()).await;
    let plan = |pool: &str| format!("name: {pool}\nruns_on: pool == {pool}\ntimeout: 2h\nsteps:\n  - run: true\n");
    let (a, b) = (w.plan(&plan("a")).await, w.plan(&plan("b")).await);
    let (runs, cut) = (w.run(a).await.id, w.run(b).await.id);
    let here = connected.assignment().await;
    connected.prepare(&here).await;
    let there = away.assignment().await;
    away.prepare(&there).await;
    away.cut().await;
    w.engine.dispatch.sweep_once().await;
    for by in [DAY, -3 * DAY, 6_000, 2 * DAY] {
        w.clock.set_by(by);
        for _ in 0..2 {
            w.engine.dispatch.sweep_once().await;
        }
        for task in [runs, cut] {
            assert_eq!(w.states(task).await.0, TaskStatus::Running, "{by}");
        }
        w.nothing_is_stuck().await;
    }
    // Of the agent that is away the lease ends when it would have; the other one says that it lives.
    w.clock.advance(lease - 1);
    connected.say(&protocol::FromAgent::Heartbeat {
        running: vec![here.fence],
    });
    connected
        .hear_that(|m| matches!(m, ToAgent::Extend).then_some(()))
        .await;
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(cut).await.0, TaskStatus::Running);
    w.clock.advance(1);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(cut).await.0, TaskStatus::Lost);
    connected.step(&here, 0, Exit::Exited(0)).await;
    connected.step(&here, 1, Exit::Exited(0)).await;
    connected.end(here.fence, false).await;
    let passed = w.until(runs, TaskStatus::Passed).await;
    assert!(passed.finished_at >= passed.started_at);
}

async fn a_job_held_back_stays_so_for_the_time_that_was_left(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w
        .plan("name: again\nretry: { limit: 1, on: agent_lost }\nsteps:\n  - run: true\n")
        .await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.cut().await;
    w.engine.dispatch.sweep_once().await;
    w.clock.advance(Settings::default().lease_ms);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(task).await.1, [JobStatus::Pending]);
    let mut agent = w.agent(1, &[]).await;
    for by in [DAY, -2 * DAY] {
        w.clock.set_by(by);
        for _ in 0..2 {
            w.engine.dispatch.sweep_once().await;
        }
        assert_eq!(
            w.states(task).await.1,
            [JobStatus::Pending],
            "the old attempt may still run"
        );
    }
    w.clock.advance(60_000);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(agent.assignment().await.number, 2);
}
