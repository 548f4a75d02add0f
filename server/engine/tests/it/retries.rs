//! Jobs that are tried again: after which ends, when, how often, and never beside an attempt that may still run.

use crate::support::{Database, FakeAgent, World, on_both};
use domain::status::{AttemptStatus, JobStatus, Outcome, TaskStatus};
use engine::dispatch::Settings;
use protocol::{AttemptEvent, ToAgent};

on_both!(
    a_lost_attempt_is_tried_once_more_elsewhere_after_its_agent_has_surely_stopped,
    an_exit_code_that_is_named_is_tried_again_at_once_and_another_is_not,
    an_agent_that_makes_no_sense_loses_the_attempt_and_it_starts_again_only_later,
    an_abort_ends_retries,
    what_is_stuck_is_found,
    an_abort_of_what_an_agent_runs_that_is_away_says_so_and_ends_with_its_lease,
);

const LOST: &str = "name: lost\nretry: { limit: 1, on: [agent_lost] }\nsteps:\n  - run: true\n";
const EXIT: &str = "name: exit\nretry: { limit: 2, on: exit 75 }\nsteps:\n  - run: true\n";
const MARGIN: i64 = 60_000;

async fn a_lost_attempt_is_tried_once_more_elsewhere_after_its_agent_has_surely_stopped(database: Database) {
    let w = World::on(database).await;
    let (one, secret) = w.engine.builtin_agent().await.unwrap();
    let mut first = FakeAgent::connect(&w.engine, one, &secret, 1, &[], Vec::new()).await;
    let plan = w.plan(LOST).await;
    let task = w.run(plan).await.id;
    let old = first.assignment().await;
    first.prepare(&old).await;
    first.cut().await;
    let (two, key) = w.register("two").await;
    let mut second = FakeAgent::connect(&w.engine, two, &key, 1, &[], Vec::new()).await;
    second.hear().await;

    w.clock.advance(Settings::default().lease_ms);
    w.engine.dispatch.sweep_once().await;
    let waits = w.task(task).await;
    assert_eq!(
        (waits.status, waits.jobs[0].status),
        (TaskStatus::Running, JobStatus::Pending)
    );
    assert_eq!(waits.jobs[0].attempt, 2);
    w.nothing_is_stuck().await;
    let why = waits.jobs[0].reason.clone().unwrap_or_default();
    assert!(why.contains("surely stopped"), "{why}");
    // The other agent is free all the time, and gets it only when the first has surely stopped.
    w.clock.advance(MARGIN - 1);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(task).await.1, [JobStatus::Pending]);
    w.clock.advance(1);
    w.engine.dispatch.sweep_once().await;
    let new = second.assignment().await;
    assert_eq!((new.task, new.number), (task, 2));
    assert!(new.fence.attempt != old.fence.attempt && new.fence.epoch > old.fence.epoch);

    // The first agent comes back with a result: refused, written down, and to be forgotten.
    let have = vec![protocol::Have {
        fence: old.fence,
        state: protocol::HaveState::Unreported,
        offset: 0,
    }];
    let mut first = FakeAgent::connect(&w.engine, one, &secret, 1, &[], have).await;
    let forget = |m: &ToAgent| matches!(m, ToAgent::Forget { fence } if *fence == old.fence).then_some(());
    first.hear_that(forget).await;
    first.tell(old.fence, first.ending(old.fence, false));
    first.hear_that(forget).await;
    let told = w.audited("attempt.report").await;
    assert_eq!(
        (told[0].0, told[0].1),
        (Some(one.0), Some(old.fence.attempt.0)),
        "{told:?}"
    );
    let words = format!("epoch {}, ended: ", old.fence.epoch);
    assert!(told.len() == 1 && told[0].2.starts_with(&words), "{told:?}");

    second.run(&new, 0).await;
    let done = w.until(task, TaskStatus::Passed).await;
    w.nothing_is_stuck().await;
    let attempts = w.engine.ports.tasks.attempts(&w.ana, done.jobs[0].id).await.unwrap();
    let seen: Vec<_> = attempts.iter().map(|a| (a.number, a.status, a.outcome)).collect();
    let ended = AttemptStatus::Ended;
    assert_eq!(
        seen,
        [(2, ended, Some(Outcome::Passed)), (1, ended, Some(Outcome::Lost))]
    );
    let reason = attempts[1].reason.clone().unwrap_or_default();
    assert!(
        reason.starts_with("Its agent was not heard again after 2026-"),
        "{reason}"
    );
}

async fn an_exit_code_that_is_named_is_tried_again_at_once_and_another_is_not(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(EXIT).await;
    let task = w.run(plan).await.id;
    for (number, code) in [(1, 75), (2, 1)] {
        let a = agent.assignment().await;
        assert_eq!(a.number, number);
        agent.run(&a, code).await;
    }
    let failed = w.until(task, TaskStatus::Failed).await;
    assert_eq!(failed.reason.as_deref(), Some("true ended with exit code 1."));

    // And not more often than the limit says.
    let task = w.run(plan).await.id;
    for number in 1..=3 {
        let a = agent.assignment().await;
        assert_eq!((a.task, a.number), (task, number));
        agent.run(&a, 75).await;
    }
    let failed = w.until(task, TaskStatus::Failed).await;
    assert_eq!(failed.jobs[0].attempt, 3);
}

async fn an_agent_that_makes_no_sense_loses_the_attempt_and_it_starts_again_only_later(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(LOST).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    // A step that begins before the preparation.
    agent.tell(
        a.fence,
        AttemptEvent::StepStarted {
            step: a.steps[1].id,
            from: 0,
            at: domain::Timestamp(1),
        },
    );
    let forget = |m: &ToAgent| matches!(m, ToAgent::Forget { fence } if *fence == a.fence).then_some(());
    agent.hear_that(forget).await;
    assert_eq!(w.states(task).await.1, [JobStatus::Pending]);
    w.engine.dispatch.place().await;
    assert_eq!(w.states(task).await.1, [JobStatus::Pending], "it may still run there");
    w.clock.advance(Settings::default().lease_ms + MARGIN);
    w.engine.dispatch.sweep_once().await;
    let again = agent.assignment().await;
    assert_eq!(again.number, 2);
    agent.run(&again, 0).await;
    w.until(task, TaskStatus::Passed).await;
}

async fn an_abort_of_what_an_agent_runs_that_is_away_says_so_and_ends_with_its_lease(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(LOST).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.cut().await;
    let asked = w.engine.ports.tasks.abort(&w.ana, task).await.unwrap();
    assert_eq!(
        (asked.status, asked.jobs[0].status),
        (TaskStatus::Running, JobStatus::Preparing)
    );
    let why = asked.reason.unwrap_or_default();
    let parts = [
        "Aborted by ana. Aborting: agent",
        "is unreachable since 2026-",
        "when its lease ends at 2026-",
    ];
    assert!(parts.iter().all(|part| why.contains(part)), "{why}");
    assert_eq!(asked.jobs[0].reason.as_deref(), Some(why.as_str()));
    w.nothing_is_stuck().await;

    // It comes back: the abort is told again, and its word counts.
    let have = vec![protocol::Have {
        fence: a.fence,
        state: protocol::HaveState::Running,
        offset: 0,
    }];
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], have).await;
    agent
        .hear_that(|m| matches!(m, ToAgent::Abort { fence } if *fence == a.fence).then_some(()))
        .await;
    agent.end(a.fence, true).await;
    assert_eq!(w.states(task).await.0, TaskStatus::Aborted);

    // Another never does: the lease ends it, as aborted and not as lost.
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.cut().await;
    w.engine.ports.tasks.abort(&w.ana, task).await.unwrap();
    w.clock.advance(Settings::default().lease_ms);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.states(task).await, (TaskStatus::Aborted, vec![JobStatus::Aborted]));
    assert!(a.number == 1);
    w.nothing_is_stuck().await;
}

async fn what_is_stuck_is_found(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w
        .plan("name: two\njobs: {a: {steps: [{run: x}]}, b: {needs: a, steps: [{run: x}]}}\n")
        .await;
    w.run(plan).await;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    w.nothing_is_stuck().await;
    let attempt = a.fence.attempt;
    for (fault, found) in [
        (
            format!("UPDATE attempts SET lease_until = NULL WHERE id = {attempt}"),
            "without a lease",
        ),
        (
            format!("UPDATE attempts SET lease_until = 5 WHERE id = {attempt}"),
            "outlived its lease",
        ),
        (
            format!("UPDATE attempts SET agent_id = NULL WHERE id = {attempt}"),
            "runs on no agent",
        ),
        (
            format!("UPDATE attempts SET finished_at = 5 WHERE id = {attempt}"),
            "without a current attempt",
        ),
        (
            format!("UPDATE attempts SET finished_at = 5 WHERE id = {attempt}"),
            "goes on in an attempt that has ended",
        ),
        (
            "UPDATE jobs SET finished_at = 5, status = 'failed' WHERE key = 'a'".into(),
            "will never pass",
        ),
        (
            "UPDATE jobs SET finished_at = 5, status = 'passed' WHERE key = 'a'".into(),
            "waits for nothing",
        ),
        ("UPDATE tasks SET finished_at = 5".into(), "a job of it has not"),
        (
            "UPDATE tasks SET finished_at = NULL, desired = 'abort'".into(),
            "waits in a task that is to be aborted",
        ),
        ("UPDATE jobs SET finished_at = 5".into(), "has ended jobs only"),
    ] {
        w.sql(fault.clone()).await;
        let all = engine::store::orphans(&w.engine.store, domain::Timestamp(crate::support::NOW), 0)
            .await
            .unwrap();
        assert!(all.iter().any(|f| f.contains(found)), "{fault}: {all:?}");
    }
}

async fn an_abort_ends_retries(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(EXIT).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.run(&a, 75).await;
    let b = agent.assignment().await;
    agent.prepare(&b).await;
    w.engine.ports.tasks.abort(&w.ana, task).await.unwrap();
    agent.end(b.fence, true).await;
    assert_eq!(w.states(task).await, (TaskStatus::Aborted, vec![JobStatus::Aborted]));
}
