//! Sessions: fences, reconnects, lost messages, output that must be whole, leases.

use crate::support::{Database, FakeAgent, World, on_both};
use domain::Timestamp;
use domain::status::{JobStatus, TaskStatus};
use engine::dispatch::{Frame, Settings};
use protocol::{AttemptEvent, Exit, Fence, FromAgent, Have, HaveState, ToAgent};

on_both!(
    a_wrong_credential_or_version_is_refused_in_words,
    a_newer_connection_ends_the_older_one,
    what_was_sent_and_not_taken_is_sent_again_and_what_ran_is_lost,
    a_connection_that_breaks_amid_a_step_loses_nothing,
    an_attempt_does_not_end_before_its_output_is_whole,
    bytes_that_differ_from_what_was_written_end_the_attempt_unproved,
    reports_from_the_past_and_of_others_are_refused_audited_and_forgotten,
    rubbish_ends_the_connection_and_hurts_nobody,
    a_lease_that_nobody_renews_ends_the_attempt,
    a_restarted_server_knows_what_runs_and_what_waits,
);

const ONE: &str = "name: one\nsteps:\n  - run: true\n";

fn forgotten(fence: Fence) -> impl FnMut(&ToAgent) -> Option<()> {
    move |m| matches!(m, ToAgent::Forget { fence: f } if *f == fence).then_some(())
}

fn rewound(fence: Fence) -> impl FnMut(&ToAgent) -> Option<u64> {
    move |m| match m {
        ToAgent::Rewind { fence: f, offset } if *f == fence => Some(*offset),
        _ => None,
    }
}

async fn a_wrong_credential_or_version_is_refused_in_words(database: Database) {
    let w = World::on(database).await;
    let (id, good) = w.engine.builtin_agent().await.unwrap();
    let mut stranger = FakeAgent::connect(&w.engine, id, "guess", 1, &[], Vec::new()).await;
    let ToAgent::Refused { reason, .. } = stranger.hear().await else {
        panic!()
    };
    assert!(reason.contains("credential"), "{reason}");
    assert!(stranger.try_hear().await.is_none());
    let mut right = FakeAgent::connect(&w.engine, id, &good, 1, &[], Vec::new()).await;
    assert!(matches!(right.hear().await, ToAgent::Welcome { .. }));
}

async fn a_newer_connection_ends_the_older_one(database: Database) {
    let w = World::on(database).await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut old = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    old.hear().await;
    let mut new = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    new.hear().await;
    assert!(matches!(old.hear().await, ToAgent::Refused { .. }));
    assert!(old.try_hear().await.is_none());
    let plan = w
        .plan("name: one\nsteps:\n  - { run: serve, keep: true }\n  - run: ask\n")
        .await;
    let task = w.run(plan).await;
    let assigned = new.assignment().await;
    assert_eq!(assigned.task, task.id);
    let keeps = assigned.steps.iter().map(|s| (s.name.as_str(), s.keep));
    assert_eq!(
        keeps.collect::<Vec<_>>(),
        [("prepare", false), ("serve", true), ("ask", false)]
    );
}

async fn what_was_sent_and_not_taken_is_sent_again_and_what_ran_is_lost(database: Database) {
    let w = World::on(database).await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 2, &[], Vec::new()).await;
    let plan = w.plan(ONE).await;
    let (taken, untaken) = (w.run(plan).await.id, w.run(plan).await.id);
    let first = agent.assignment().await;
    assert_eq!(first.task, taken);
    agent.prepare(&first).await;
    agent.cut().await;
    assert_eq!(
        w.engine.ports.agents.get(&w.ana, id).await.unwrap().status.as_str(),
        "unreachable"
    );
    // It comes back and holds nothing at all.
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 2, &[], Vec::new()).await;
    assert_eq!(agent.assignment().await.task, untaken);
    let lost = w.until(taken, TaskStatus::Lost).await;
    assert!(lost.reason.is_some());
}

async fn a_connection_that_breaks_amid_a_step_loses_nothing(database: Database) {
    let w = World::on(database).await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    agent.write(a.fence, b"half a li");
    let step = a.steps[1].id;
    agent
        .report(
            a.fence,
            AttemptEvent::StepStarted {
                step,
                from: 0,
                at: Timestamp(1),
            },
        )
        .await;
    agent.cut().await;
    let have = vec![Have {
        fence: a.fence,
        state: HaveState::Running,
        offset: 14,
    }];
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], have).await;
    assert_eq!(
        agent.hear_that(rewound(a.fence)).await,
        9,
        "the server says what it has"
    );
    agent.write_at(a.fence, 9, b"ne\nok");
    let digest = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(b"half a line\nok"));
    let end = protocol::StepEnd {
        step,
        exit: Exit::Exited(0),
        until: 14,
        at: Timestamp(2),
    };
    agent.report(a.fence, AttemptEvent::StepEnded(end)).await;
    let over = AttemptEvent::Ended {
        aborted: false,
        error: None,
        length: 14,
        digest,
        at: Timestamp(3),
    };
    agent.report(a.fence, over).await;
    let done = w.task(task).await;
    assert_eq!(done.status, TaskStatus::Passed);
    let shown = w
        .engine
        .ports
        .console
        .lines(&w.ana, done.jobs[0].steps[0].id, 1, 10)
        .await
        .unwrap();
    assert_eq!(shown.total, 2);
    assert_eq!(done.jobs[0].steps[0].bytes, 14);
    assert_eq!(done.jobs[0].steps[0].lines, 2);
}

async fn an_attempt_does_not_end_before_its_output_is_whole(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    let step = a.steps[1].id;
    agent
        .report(
            a.fence,
            AttemptEvent::StepStarted {
                step,
                from: 0,
                at: Timestamp(1),
            },
        )
        .await;
    agent.write(a.fence, b"first ");
    // The second frame is lost on the way; the third does not join on.
    agent.write_at(a.fence, 13, b"third\n");
    assert_eq!(agent.hear_that(rewound(a.fence)).await, 6);
    let whole = b"first second third\n";
    let digest = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(whole));
    let end = protocol::StepEnd {
        step,
        exit: Exit::Exited(0),
        until: 19,
        at: Timestamp(2),
    };
    agent.report(a.fence, AttemptEvent::StepEnded(end)).await;
    agent.tell(
        a.fence,
        AttemptEvent::Ended {
            aborted: false,
            error: None,
            length: 19,
            digest,
            at: Timestamp(3),
        },
    );
    assert_eq!(
        agent.hear_that(rewound(a.fence)).await,
        6,
        "the end is held back: output is missing"
    );
    assert_eq!(w.states(task).await.0, TaskStatus::Running);
    agent.write_at(a.fence, 6, &whole[6..]);
    agent
        .hear_that(|m| matches!(m, ToAgent::Ack { n, .. } if *n >= 6).then_some(()))
        .await;
    assert_eq!(w.states(task).await.0, TaskStatus::Passed);
}

async fn bytes_that_differ_from_what_was_written_end_the_attempt_unproved(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    agent.step(&a, 1, Exit::Exited(0)).await;
    agent.write(a.fence, b"right");
    let end = AttemptEvent::Ended {
        aborted: false,
        error: None,
        length: 5,
        digest: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(b"wrong")),
        at: Timestamp(3),
    };
    agent.report(a.fence, end).await;
    // It neither waits for ever for bytes that nobody has any more, nor claims that they were proved.
    assert_eq!(w.states(task).await.0, TaskStatus::Passed);
}

async fn reports_from_the_past_and_of_others_are_refused_audited_and_forgotten(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    let stale = Fence {
        epoch: a.fence.epoch - 1,
        ..a.fence
    };
    let foreign = Fence {
        attempt: domain::AttemptId(999),
        epoch: 1,
    };
    for fence in [stale, foreign] {
        agent.tell(
            fence,
            AttemptEvent::Preparing {
                executor: domain::status::ExecutorKind::Process,
            },
        );
        agent.hear_that(forgotten(fence)).await;
        agent.write_at(fence, 0, b"forged");
        agent.hear_that(forgotten(fence)).await;
    }
    assert_eq!(w.states(task).await.1, [JobStatus::Preparing]);
    let (entries, broken) = w.engine.store.audit_check().await.unwrap();
    assert!(entries >= 1, "the refusal of the stale fence is audited");
    assert_eq!(broken, None);
    agent.run(&a, 0).await;
    // Ended twice: the second time it is from the past.
    assert_eq!(w.states(task).await.0, TaskStatus::Passed);
}

async fn rubbish_ends_the_connection_and_hurts_nobody(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    agent.hear().await;
    agent.send(Frame::Text("{\"promote\":{\"me\":true}}".into()));
    agent.say(&FromAgent::Heartbeat { running: Vec::new() });
    assert_eq!(agent.hear().await, ToAgent::Extend, "an unknown message is passed over");
    agent.send(Frame::Binary(bytes::Bytes::from_static(b"\x02rubbish")));
    assert!(agent.try_hear().await.is_none());
    let plan = w.plan(ONE).await;
    assert_eq!(w.run(plan).await.status, TaskStatus::Pending);
}

async fn a_lease_that_nobody_renews_ends_the_attempt(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.cut().await;
    w.clock.advance(Settings::default().lease_ms - 1);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(task).await.0, TaskStatus::Running);
    w.clock.advance(2);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(task).await.0, TaskStatus::Lost);
}

async fn a_restarted_server_knows_what_runs_and_what_waits(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let (running, waiting) = (w.run(plan).await.id, w.run(plan).await.id);
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.cut().await;
    let w = w.restart().await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let have = vec![Have {
        fence: a.fence,
        state: HaveState::Running,
        offset: 0,
    }];
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], have).await;
    assert_eq!(agent.hear_that(rewound(a.fence)).await, 0);
    agent.step(&a, 0, Exit::Exited(0)).await;
    agent.step(&a, 1, Exit::Exited(0)).await;
    agent.end(a.fence, false).await;
    assert_eq!(w.states(running).await.0, TaskStatus::Passed);
    assert_eq!(agent.assignment().await.task, waiting);
}
