//! Reports that cannot be written, are left out or come twice; jobs whose time comes.

use crate::support::{Database, FakeAgent, World, on_both};
use domain::status::TaskStatus;
use engine::store::{Batch, Store};
use futures::FutureExt;
use protocol::{AttemptEvent, Exit, FromAgent, Have, HaveState, StepEnd, ToAgent};

on_both!(
    a_report_left_out_ends_the_connection,
    an_end_that_is_held_back_is_looked_at_with_every_heartbeat,
    a_job_held_back_is_handed_out_when_its_time_comes
);

const ONE: &str = "name: one\nsteps:\n  - run: true\n";

async fn sql(store: &Store, text: &'static str) {
    store
        .write(move |tx| {
            let mut batch = Batch::default();
            batch.push(text, []);
            async move { tx.run(batch).await }.boxed()
        })
        .await
        .unwrap();
}

/// SQLite only: a trigger of the database's own is the fault.
#[tokio::test]
async fn a_report_that_cannot_be_written_ends_the_connection_and_is_not_lost() {
    let w = World::new().await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    let at = domain::Timestamp(1);
    let started = AttemptEvent::StepStarted {
        step: a.steps[1].id,
        from: 0,
        at,
    };
    let end = StepEnd {
        step: a.steps[1].id,
        exit: Exit::Exited(0),
        until: 0,
        at,
    };
    sql(
        &w.engine.store,
        "CREATE TRIGGER poison BEFORE UPDATE ON steps BEGIN SELECT RAISE(ABORT, 'poisoned'); END",
    )
    .await;
    let before = w.task(task).await;
    let first = agent.tell(a.fence, started.clone());
    agent.tell(a.fence, AttemptEvent::StepEnded(end.clone()));
    // Nothing is acknowledged that is not written; then the connection is over.
    while let Some(m) = agent.try_hear().await {
        assert!(!matches!(m, ToAgent::Ack { n, .. } if n >= first), "{m:?}");
    }
    assert_eq!(w.task(task).await.jobs, before.jobs, "nothing half-written");
    sql(&w.engine.store, "DROP TRIGGER poison").await;
    let have = vec![Have {
        fence: a.fence,
        state: HaveState::Running,
        offset: 0,
    }];
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], have).await;
    agent.report(a.fence, started).await;
    agent.report(a.fence, AttemptEvent::StepEnded(end)).await;
    agent.end(a.fence, false).await;
    assert_eq!(w.states(task).await.0, TaskStatus::Passed);
}

async fn a_report_left_out_ends_the_connection(database: Database) {
    let w = World::on(database).await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    let started = AttemptEvent::StepStarted {
        step: a.steps[0].id,
        from: 0,
        at: domain::Timestamp(1),
    };
    agent.say(&FromAgent::Attempt {
        fence: a.fence,
        n: 3,
        event: started,
    });
    while let Some(m) = agent.try_hear().await {
        assert!(
            !matches!(m, ToAgent::Ack { n, .. } if n > 1),
            "an acknowledgement of 3 would cover 2: {m:?}"
        );
    }
    // A new connection may begin with any number: it is the first that was not acknowledged.
    let have = vec![Have {
        fence: a.fence,
        state: HaveState::Running,
        offset: 0,
    }];
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], have).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    agent.step(&a, 1, Exit::Exited(0)).await;
    agent.end(a.fence, false).await;
    assert_eq!(w.states(task).await.0, TaskStatus::Passed);
}

async fn an_end_that_is_held_back_is_looked_at_with_every_heartbeat(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    agent.step(&a, 1, Exit::Exited(0)).await;
    let whole: Vec<u8> = (0..30_000).map(|n| b'a' + (n % 26) as u8).collect();
    let digest = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&whole));
    let over = AttemptEvent::Ended {
        aborted: false,
        error: None,
        length: 30_000,
        digest,
        at: domain::Timestamp(3),
    };
    agent.tell(a.fence, over);
    let mut asked = Vec::new();
    let mut answers = 0;
    // Ten frames that do not join on, one that does but is not all, two heartbeats.
    for i in 1..11 {
        agent.write_at(a.fence, i * 1_000 + 100, &whole[..10]);
    }
    agent.write_at(a.fence, 0, &whole[..100]);
    for _ in 0..2 {
        agent.say(&FromAgent::Heartbeat { running: Vec::new() });
    }
    while answers < 2 {
        match agent.hear().await {
            ToAgent::Rewind { offset, .. } => asked.push(offset),
            ToAgent::Extend => answers += 1,
            _ => {}
        }
    }
    let ToAgent::Rewind { offset, .. } = agent.hear().await else {
        panic!()
    };
    asked.push(offset);
    assert_eq!(asked[0], 0, "{asked:?}");
    assert_eq!(asked.last(), Some(&100), "{asked:?}");
    assert!(
        asked.len() <= 4,
        "it is asked once, and once with each heartbeat: {asked:?}"
    );
    for (i, part) in whole.chunks(1_000).enumerate() {
        agent.write_at(a.fence, i as u64 * 1_000, part);
    }
    agent
        .hear_that(|m| matches!(m, ToAgent::Ack { n, .. } if *n >= 6).then_some(()))
        .await;
    assert_eq!(w.states(task).await.0, TaskStatus::Passed);
}

async fn a_job_held_back_is_handed_out_when_its_time_comes(database: Database) {
    let w = World::on(database).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    sql(&w.engine.store, "UPDATE jobs SET not_before = 1795000060000").await;
    let mut agent = w.agent(1, &[]).await;
    agent.hear().await;
    w.clock.advance(59_999);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(task).await.0, TaskStatus::Pending);
    let waiting = w.engine.ports.queue.waiting(&w.ana).await.unwrap();
    assert!(!waiting[0].reason.is_empty());
    w.clock.advance(1);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(agent.assignment().await.task, task);
    assert_eq!(w.states(task).await.0, TaskStatus::Running);
}
