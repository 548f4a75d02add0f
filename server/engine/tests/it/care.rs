//! An agent that lives and does not have what it should hold: its heartbeats alone keep nothing alive for ever.

use crate::support::{Database, World, on_both};
use domain::status::{JobStatus, TaskStatus};
use engine::dispatch::Settings;
use protocol::{FromAgent, ToAgent};

on_both!(
    an_assignment_that_is_not_taken_is_sent_again_with_the_heartbeats,
    an_attempt_without_a_sign_for_a_whole_lease_is_lost_though_its_agent_is_heard,
    an_agent_that_falls_silent_is_unreachable_and_keeps_its_lease,
);

const ONE: &str = "name: one\nsteps:\n  - run: true\n";

async fn an_assignment_that_is_not_taken_is_sent_again_with_the_heartbeats(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let first = agent.assignment().await;
    // As if it never arrived.
    let beat = FromAgent::Heartbeat { running: Vec::new() };
    agent.say(&beat);
    agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
    w.clock.advance(2 * Settings::default().heartbeat_ms);
    agent.say(&beat);
    let again = agent.assignment().await;
    assert_eq!(again, first);
    agent.run(&again, 0).await;
    w.until(task, TaskStatus::Passed).await;
}

async fn an_attempt_without_a_sign_for_a_whole_lease_is_lost_though_its_agent_is_heard(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w
        .plan("name: one\nretry: { limit: 1, on: agent_lost }\nsteps:\n  - run: true\n")
        .await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    let lease = Settings::default().lease_ms;
    // Each less than a lease, which the sweeper would end.
    for (running, passes) in [
        (vec![a.fence], lease / 2),
        (Vec::new(), lease / 2),
        (vec![a.fence], lease / 2),
        (Vec::new(), lease / 2 + 10),
    ] {
        agent.say(&FromAgent::Heartbeat { running });
        agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
        assert_eq!(w.states(task).await.1, [JobStatus::Preparing]);
        w.clock.advance(passes);
    }
    agent.say(&FromAgent::Heartbeat { running: Vec::new() });
    agent
        .hear_that(|m| matches!(m, ToAgent::Forget { fence } if *fence == a.fence).then_some(()))
        .await;
    // It said itself that it does not run it: the next attempt begins at once.
    let next = agent.assignment().await;
    assert_eq!((next.task, next.number), (task, 2));
    w.nothing_is_stuck().await;
}

async fn an_agent_that_falls_silent_is_unreachable_and_keeps_its_lease(database: Database) {
    // Long enough for the agent to be given its job on a busy machine: until then it is silent too.
    let w = World::on(database)
        .await
        .restart_with(|s| s.unreachable_ms = 2_000)
        .await;
    let mut agent = w.agent(1, &[]).await;
    let id = agent.id;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    // Its connection is open, and nothing comes over it any more.
    assert!(agent.try_hear().await.is_none(), "the server hangs up");
    let mut news = w.engine.store.news();
    loop {
        let seen = w.engine.ports.agents.get(&w.ana, id).await.unwrap().status;
        if seen.as_str() == "unreachable" {
            break;
        }
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), news.recv());
        assert!(next.await.is_ok(), "it stays {seen}");
    }
    assert_eq!(w.states(task).await.1, [JobStatus::Preparing], "its lease runs on");
    w.nothing_is_stuck().await;
}
