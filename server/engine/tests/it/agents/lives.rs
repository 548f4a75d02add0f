//! What becomes of agents: newer sessions, what admins change, what is told of them, removal.

use super::{ONE, credential, refused, registered, token};
use crate::support::{Database, FakeAgent, World, on_both};
use domain::agent::{CLOCK_FAR_MS, Load, PatchAgent};
use domain::status::{AgentStatus, Availability, TaskStatus};
use domain::{AgentId, Error, Timestamp};
use engine::clock::Clock as _;
use protocol::{AttemptEvent, Exit, FromAgent, RefusalCode, ToAgent};

on_both!(
    an_older_session_is_told_and_its_late_words_do_nothing,
    a_pause_ends_by_itself,
    what_an_admin_sets_wins_over_what_is_reported,
    an_agent_that_goes_takes_nothing_and_is_offline,
    what_became_of_an_agent_is_told_newest_first,
    a_clock_far_off_is_a_warning,
    a_removed_agent_is_told_and_what_it_ran_is_lost,
);

async fn kinds(w: &World, id: AgentId) -> Vec<String> {
    let events = w.engine.ports.agents.events(&w.ana, id, 50).await.unwrap();
    events.into_iter().map(|e| e.kind).collect()
}

async fn patch(w: &World, id: AgentId, patch: PatchAgent) -> domain::agent::AgentView {
    let version = w.engine.ports.agents.get(&w.ana, id).await.unwrap().version;
    let patch = PatchAgent { version, ..patch };
    w.engine.ports.agents.patch(&w.ana, id, patch).await.unwrap()
}

async fn an_older_session_is_told_and_its_late_words_do_nothing(database: Database) {
    let w = World::on(database).await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let mut old = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    old.hear().await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await.id;
    let a = old.assignment().await;
    let mut new = FakeAgent::connect(&w.engine, id, &secret, 1, &[], Vec::new()).await;
    new.hear().await;
    let code = old
        .hear_that(|m| match m {
            ToAgent::Refused { code, .. } => Some(*code),
            _ => None,
        })
        .await;
    assert_eq!(code, RefusalCode::Replaced);
    // It speaks on all the same; nobody listens.
    let executor = domain::status::ExecutorKind::Process;
    let event = AttemptEvent::Preparing { executor };
    let late = FromAgent::Attempt {
        fence: a.fence,
        n: 1,
        event,
    };
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| old.say(&late)));
    assert!(old.try_hear().await.is_none());
    assert_eq!(w.task(task).await.jobs[0].status.as_str(), "preparing");
    let again = new.assignment().await;
    assert_eq!(again.fence, a.fence);
    new.run(&again, 0).await;
    w.until(task, TaskStatus::Passed).await;
    // Only the newer one's end makes the agent unreachable.
    assert_eq!(
        w.engine.ports.agents.get(&w.ana, id).await.unwrap().status,
        AgentStatus::Online
    );
}

async fn a_pause_ends_by_itself(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    agent.hear().await;
    let until = w.clock.now().plus(60_000);
    let paused = patch(
        &w,
        agent.id,
        PatchAgent {
            availability: Some(Availability::Paused),
            note: Some("disk swap".into()),
            paused_until: Some(until),
            ..PatchAgent::default()
        },
    )
    .await;
    assert_eq!(
        (paused.paused_until, paused.paused_by.as_deref(), paused.note.as_deref()),
        (Some(until), Some("ana"), Some("disk swap"))
    );
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await;
    assert_eq!(task.status, TaskStatus::Pending);
    w.clock.advance(59_999);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(w.task(task.id).await.status, TaskStatus::Pending);
    w.clock.advance(1);
    w.engine.dispatch.sweep_once().await;
    assert_eq!(agent.assignment().await.task, task.id);
    let seen = w.engine.ports.agents.get(&w.ana, agent.id).await.unwrap();
    assert_eq!(
        (seen.availability, seen.paused_until, seen.note, seen.paused_by),
        (Availability::Active, None, None, None)
    );
    for (change, want) in [
        (
            PatchAgent {
                paused_until: Some(Timestamp(1)),
                availability: Some(Availability::Paused),
                ..Default::default()
            },
            "past",
        ),
        (
            PatchAgent {
                paused_until: Some(until.plus(600_000)),
                ..Default::default()
            },
            "Only a pause",
        ),
        (
            PatchAgent {
                slots: Some(1_001),
                ..Default::default()
            },
            "1 to 1000",
        ),
        (
            PatchAgent {
                name: Some("kiln".into()),
                ..Default::default()
            },
            "always called so",
        ),
        (
            PatchAgent {
                labels: Some([("a b".into(), "x".into())].into()),
                ..Default::default()
            },
            "cannot be a label",
        ),
        (
            PatchAgent {
                note: Some("x".repeat(201)),
                ..Default::default()
            },
            "at most 200",
        ),
    ] {
        let change = PatchAgent {
            version: seen.version,
            ..change
        };
        let e = w.engine.ports.agents.patch(&w.ana, agent.id, change).await.unwrap_err();
        assert!(
            matches!(e, Error::Invalid { .. }) && e.to_string().contains(want),
            "{e}"
        );
    }
}

async fn what_an_admin_sets_wins_over_what_is_reported(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 2, &[]).await;
    let (id, _) = registered(&w, &made.token, 1).await;
    registered(&w, &made.token, 2).await;
    let mut agent = FakeAgent::connect(&w.engine, id, &credential(1), 1, &[("pool", "slow")], Vec::new()).await;
    agent.hear().await;
    let set = patch(
        &w,
        id,
        PatchAgent {
            name: Some("forge".into()),
            labels: Some([("pool".into(), "fast".into()), ("gpu".into(), "yes".into())].into()),
            slots: Some(2),
            ..PatchAgent::default()
        },
    )
    .await;
    assert_eq!((set.name.as_str(), set.slots, set.slots_reported), ("forge", 2, 1));
    assert_eq!(
        (set.labels["pool"].as_str(), set.labels["os"].as_str()),
        ("fast", "linux")
    );
    assert_eq!(set.labels_set.len(), 2);
    // The next session reports what it always did, and the admin's word stays.
    agent.cut().await;
    let mut agent = FakeAgent::connect(&w.engine, id, &credential(1), 1, &[("pool", "slow")], Vec::new()).await;
    let plan = w
        .plan(&ONE.replace("steps:", "runs_on: [\"gpu == yes\"]\nsteps:"))
        .await;
    w.run(plan).await;
    w.run(plan).await;
    agent.assignment().await;
    agent.assignment().await;
    let taken = PatchAgent {
        version: w.engine.ports.agents.get(&w.ana, id).await.unwrap().version,
        name: Some("kiln-2".into()),
        ..PatchAgent::default()
    };
    let e = w.engine.ports.agents.patch(&w.ana, id, taken).await.unwrap_err();
    assert!(matches!(&e, Error::Conflict(why) if why.contains("already")), "{e}");
    let back = patch(
        &w,
        id,
        PatchAgent {
            slots: Some(0),
            labels: Some([].into()),
            ..PatchAgent::default()
        },
    )
    .await;
    assert_eq!((back.slots, back.labels["pool"].as_str()), (1, "slow"));
    // Labels of its own may change while it is connected.
    agent.say(&FromAgent::Labels(
        [("os".into(), "linux".into()), ("disk".into(), "big".into())].into(),
    ));
    agent.say(&FromAgent::Heartbeat { running: vec![] });
    agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
    let seen = w.engine.ports.agents.get(&w.ana, id).await.unwrap();
    assert_eq!(seen.labels.get("disk").map(String::as_str), Some("big"));
    // What cannot be labels changes nothing.
    agent.say(&FromAgent::Labels([("a b".into(), "x".into())].into()));
    agent.say(&FromAgent::Load(Load {
        at: Timestamp(i64::MIN),
        ..Load::default()
    }));
    agent.say(&FromAgent::Heartbeat { running: vec![] });
    agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
    let again = w.engine.ports.agents.get(&w.ana, id).await.unwrap();
    assert_eq!(again.labels, seen.labels);
    let audited = w.engine.store.audit_check().await.unwrap();
    assert_eq!(audited.1, None);
}

async fn an_agent_that_goes_takes_nothing_and_is_offline(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    agent.hear().await;
    agent.say(&FromAgent::Draining);
    agent.say(&FromAgent::Heartbeat { running: vec![] });
    agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
    let seen = w.engine.ports.agents.get(&w.ana, agent.id).await.unwrap();
    assert!(seen.leaving && seen.availability == Availability::Active, "{seen:?}");
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await;
    assert_eq!(task.status, TaskStatus::Pending);
    assert!(
        task.reason.as_deref().is_some_and(|r| r.contains("draining")),
        "{:?}",
        task.reason
    );
    let id = agent.id;
    agent.cut().await;
    let seen = w.engine.ports.agents.get(&w.ana, id).await.unwrap();
    assert_eq!(seen.status, AgentStatus::Offline);
    assert_eq!(kinds(&w, id).await[..2], ["agent.offline", "agent.draining"]);
    // It comes back and takes what waited.
    let mut agent = w.agent(1, &[]).await;
    assert_eq!(agent.assignment().await.task, task.id);
}

async fn what_became_of_an_agent_is_told_newest_first(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 1, &[]).await;
    let (id, _) = registered(&w, &made.token, 1).await;
    let mut agent = FakeAgent::connect(&w.engine, id, &credential(1), 1, &[], Vec::new()).await;
    agent.hear().await;
    patch(
        &w,
        id,
        PatchAgent {
            availability: Some(Availability::Paused),
            ..PatchAgent::default()
        },
    )
    .await;
    patch(
        &w,
        id,
        PatchAgent {
            name: Some("forge".into()),
            ..PatchAgent::default()
        },
    )
    .await;
    agent.cut().await;
    w.clock.advance(30_000);
    let mut agent = FakeAgent::connect(&w.engine, id, &credential(1), 3, &[("pool", "fast")], Vec::new()).await;
    agent.hear().await;
    let events = w.engine.ports.agents.events(&w.ana, id, 50).await.unwrap();
    let all: Vec<_> = events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        all,
        [
            "agent.online",
            "agent.unreachable",
            "agent.renamed",
            "agent.paused",
            "agent.online",
            "agent.registered"
        ]
    );
    assert_eq!(events[0].body["away_ms"], 30_000);
    assert_eq!(
        events[0].body["changed"],
        serde_json::json!(["slots 1 → 3", "label pool none → fast"])
    );
    assert_eq!(events[1].body["why"], "Its connection broke.");
    assert_eq!(events[2].actor.as_deref(), Some("ana"));
    assert_eq!(events[4].body["first"], true);
    assert_eq!(events[5].body["from"], "192.0.2.9");
    let other = w.engine.ports.agents.events(&w.ana, AgentId(999), 50).await;
    assert!(matches!(other, Err(Error::NotFound(_))));
}

async fn a_clock_far_off_is_a_warning(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    agent.hear().await;
    let now = w.clock.now();
    for (off, want, events) in [
        (1_000, None, 0),
        (CLOCK_FAR_MS + 5_000, Some(CLOCK_FAR_MS + 5_000), 1),
        (CLOCK_FAR_MS + 9_000, Some(CLOCK_FAR_MS + 5_000), 1),
        (9 * CLOCK_FAR_MS, Some(9 * CLOCK_FAR_MS), 2),
        (-500, None, 3),
    ] {
        agent.say(&FromAgent::Load(Load {
            at: now.plus(off),
            cpu_percent: 42,
            memory_used: 7,
            disk_free: 9,
        }));
        agent.say(&FromAgent::Heartbeat { running: vec![] });
        agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
        let seen = w.engine.ports.agents.get(&w.ana, agent.id).await.unwrap();
        assert_eq!(seen.clock_off_ms, want, "{off}");
        assert_eq!(seen.load.map(|l| l.cpu_percent), Some(42));
        let told = kinds(&w, agent.id).await.iter().filter(|k| *k == "agent.clock").count();
        assert_eq!(told, events, "{off}");
    }
    let id = agent.id;
    agent.cut().await;
    assert_eq!(
        w.engine.ports.agents.get(&w.ana, id).await.unwrap().load,
        None,
        "nobody knows now"
    );
}

async fn a_removed_agent_is_told_and_what_it_ran_is_lost(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 1, &[]).await;
    let (id, _) = registered(&w, &made.token, 1).await;
    let mut agent = FakeAgent::connect(&w.engine, id, &credential(1), 2, &[], Vec::new()).await;
    let plan = w.plan(ONE).await;
    let (taken, untaken) = (w.run(plan).await.id, w.run(plan).await.id);
    let first = agent.assignment().await;
    agent.prepare(&first).await;
    agent.step(&first, 0, Exit::Exited(0)).await;
    let ports = &w.engine.ports;
    let e = ports.agents.remove(&w.ana, id, false).await.unwrap_err();
    assert!(matches!(&e, Error::Conflict(why) if why.contains("runs 2 jobs")), "{e}");
    ports.agents.remove(&w.ana, id, true).await.unwrap();
    for task in [taken, untaken] {
        let lost = w.until(task, TaskStatus::Lost).await;
        assert!(lost.reason.is_some_and(|r| r.contains("removed")));
    }
    agent
        .hear_that(|m| matches!(m, ToAgent::Forget { fence } if *fence == first.fence).then_some(()))
        .await;
    let code = agent
        .hear_that(|m| match m {
            ToAgent::Refused { code, .. } => Some(*code),
            _ => None,
        })
        .await;
    assert_eq!(code, RefusalCode::Removed);
    assert!(agent.try_hear().await.is_none());
    assert!(ports.agents.list(&w.ana).await.unwrap().is_empty());
    // It comes back, by hello and by token: one clear line.
    let mut back = FakeAgent::connect(&w.engine, id, &credential(1), 1, &[], Vec::new()).await;
    let ToAgent::Refused { reason, code } = back.hear().await else {
        panic!()
    };
    assert_eq!(code, RefusalCode::Removed);
    assert!(reason.contains("removed by an admin"), "{reason}");
    let more = token(&w, 1, &[]).await;
    assert_eq!(
        refused(&w, &more.token, 1, None, "192.0.2.9").await.0,
        RefusalCode::Removed
    );
    // Its name is free.
    assert_eq!(registered(&w, &more.token, 2).await.1, "kiln");
    let mut builtin = w.agent(1, &[]).await;
    builtin.hear().await;
    let e = ports.agents.remove(&w.ana, builtin.id, true).await.unwrap_err();
    assert!(
        matches!(&e, Error::Conflict(why) if why.contains("part of the server")),
        "{e}"
    );
}
