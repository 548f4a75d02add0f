//! Triggers that fire by the clock and after other plans: exactly once, whatever clocks and servers do.

use crate::support::{Database, NOW, World, on_both};
use domain::page::PageQuery;
use domain::status::TaskStatus;
use domain::task::{CauseKind, RunPlan};
use domain::trigger::{FiringView, Kind, NewTrigger, PutTrigger, TriggerQuery, Verdict};
use domain::{PlanId, TaskId, TriggerId};
use serde_json::{Value, json};
use std::time::Duration;

on_both!(
    a_cron_fires_once_an_instant_across_restarts_and_clocks,
    what_was_missed_is_made_good_as_the_trigger_says,
    a_cron_whose_task_still_runs_waits_skips_or_aborts_it,
    plans_follow_each_other_once_also_over_a_restart,
    several_plans_at_one_revision_start_one_task,
    a_trigger_that_is_saved_begins_anew_and_one_that_is_off_does_nothing,
);

const PLAN: &str = "steps: [{run: 'true'}]\n";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn plan(world: &World, name: &str) -> PlanId {
    world.plan(&format!("name: {name}\n{PLAN}")).await
}

async fn trigger(world: &World, name: &str, kind: Kind, plan: PlanId, config: Value) -> TriggerId {
    let wish = NewTrigger {
        name: name.into(),
        kind,
        plan_id: plan,
        enabled: None,
        config,
        rules: vec![],
        parameters: Default::default(),
        branch: None,
        revision: None,
        priority: None,
    };
    world
        .engine
        .ports
        .triggers
        .create(&world.ana, wish)
        .await
        .unwrap()
        .trigger
        .id
}

/// A trigger's firings, oldest first.
async fn firings(world: &World, id: TriggerId) -> Vec<FiringView> {
    let page = PageQuery::default();
    let mut all = world
        .engine
        .ports
        .triggers
        .firings(&world.ana, Some(id), vec![], page)
        .await
        .unwrap()
        .items;
    all.reverse();
    all
}

/// Lets time pass, and waits until the trigger has fired so often.
async fn until(world: &World, id: TriggerId, count: usize) -> Vec<FiringView> {
    let mut news = world.engine.store.news();
    loop {
        world.engine.triggers.wake();
        let all = firings(world, id).await;
        if all.len() >= count {
            assert_eq!(all.len(), count, "{all:#?}");
            return all;
        }
        let next = tokio::time::timeout(Duration::from_secs(10), news.recv()).await;
        assert!(next.is_ok(), "it fired {} times and not {count}", all.len());
    }
}

async fn verdict(world: &World, id: TriggerId, n: usize, wanted: Verdict) -> FiringView {
    let mut news = world.engine.store.news();
    loop {
        let all = firings(world, id).await;
        if let Some(one) = all.get(n).filter(|f| f.verdict == wanted) {
            return one.clone();
        }
        let next = tokio::time::timeout(Duration::from_secs(10), news.recv()).await;
        assert!(next.is_ok(), "{all:#?}");
    }
}

async fn abort(world: &World, id: TaskId) {
    let ended = world.engine.ports.tasks.abort(&world.ana, id).await.unwrap();
    assert_eq!(ended.status, TaskStatus::Aborted);
}

async fn a_cron_fires_once_an_instant_across_restarts_and_clocks(database: Database) {
    let mut world = World::on(database).await;
    let app = plan(&world, "app").await;
    let id = trigger(&world, "hourly", Kind::Cron, app, json!({ "cron": "0 * * * *" })).await;
    let due = world
        .engine
        .ports
        .triggers
        .get(&world.ana, id)
        .await
        .unwrap()
        .next_fire_at
        .unwrap();
    assert_eq!(due.0 % HOUR, 0);
    world.clock.advance(due.0 - NOW - 1);
    world.engine.triggers.wake();
    world.clock.advance(1);
    let first = until(&world, id, 1).await.remove(0);
    assert_eq!((first.verdict, first.scheduled_for), (Verdict::Started, Some(due)));
    assert_eq!(first.tasks.len(), 1);
    let task = world.task(first.tasks[0].id).await;
    assert_eq!(
        (task.cause.kind, task.cause.firing_id),
        (CauseKind::Cron, Some(first.id))
    );
    for n in 2..=4 {
        world = world.restart().await;
        world.clock.advance(HOUR);
        let all = until(&world, id, n).await;
        assert_eq!(all[n - 1].scheduled_for, Some(due.plus(HOUR * (n as i64 - 1))));
    }
    // The clock is set back by a day: what has fired does not fire again.
    world.clock.set_by(-DAY);
    world = world.restart().await;
    for _ in 0..3 {
        world.clock.advance(HOUR);
        world.engine.triggers.wake();
    }
    world.clock.advance(DAY - 2 * HOUR);
    let all = until(&world, id, 5).await;
    let newest = all[4].scheduled_for.unwrap();
    assert_eq!(newest, due.plus(4 * HOUR), "one at its own time, none twice");
}

async fn what_was_missed_is_made_good_as_the_trigger_says(database: Database) {
    let world = World::on(database).await;
    let app = plan(&world, "app").await;
    let cron = |missed: &str| json!({ "cron": "*/10 * * * *", "missed": missed, "most": 4 });
    let mut ids = Vec::new();
    for missed in ["once", "all", "skip"] {
        ids.push(trigger(&world, missed, Kind::Cron, app, cron(missed)).await);
    }
    // Three hours and five minutes later, with the server down all that time.
    let start = NOW - NOW % 600_000;
    world.clock.advance(start + 3 * HOUR + 300_000 - NOW);
    let world = world.restart().await;
    let once = until(&world, ids[0], 1).await.remove(0);
    assert_eq!((once.verdict, once.cause.missed), (Verdict::Started, Some(18)));
    let all = until(&world, ids[1], 4).await;
    let times: Vec<i64> = all
        .iter()
        .map(|f| (f.scheduled_for.unwrap().0 - start) / 600_000)
        .collect();
    assert_eq!(times, [15, 16, 17, 18], "the newest four, oldest first");
    assert!(all.iter().all(|f| f.cause.missed.is_none()));
    let skipped = until(&world, ids[2], 1).await.remove(0);
    assert_eq!((skipped.verdict, skipped.tasks.len()), (Verdict::Nothing, 0));
    let why = skipped.reason.unwrap();
    assert!(
        why.contains("the server was down at that time, and 17 before it"),
        "{why}"
    );
    // And then they are in time again.
    world.clock.advance(300_000);
    for (id, count) in [(ids[0], 2), (ids[2], 2)] {
        let last = until(&world, id, count).await.pop().unwrap();
        assert_eq!((last.cause.missed, last.verdict == Verdict::Nothing), (None, false));
    }
}

async fn a_cron_whose_task_still_runs_waits_skips_or_aborts_it(database: Database) {
    let mut world = World::on(database).await;
    let mut ids = Vec::new();
    for overlap in ["queue", "skip", "cancel"] {
        let plan = plan(&world, overlap).await;
        let config = json!({ "cron": "0 * * * *", "overlap": overlap });
        ids.push(trigger(&world, overlap, Kind::Cron, plan, config).await);
    }
    for n in 1..=3 {
        world.clock.advance(HOUR);
        for id in &ids {
            until(&world, *id, n).await;
        }
    }
    let verdicts = |all: &[FiringView]| all.iter().map(|f| f.verdict).collect::<Vec<_>>();
    let skip = firings(&world, ids[1]).await;
    assert_eq!(verdicts(&skip), [Verdict::Started, Verdict::Nothing, Verdict::Nothing]);
    assert!(
        skip[1].reason.as_ref().unwrap().contains("has not ended"),
        "{:?}",
        skip[1].reason
    );
    let cancel = firings(&world, ids[2]).await;
    assert_eq!(verdicts(&cancel), [Verdict::Started; 3]);
    let status: Vec<TaskStatus> = cancel.iter().map(|f| f.tasks[0].status).collect();
    assert_eq!(status, [TaskStatus::Aborted, TaskStatus::Aborted, TaskStatus::Pending]);
    let queue = firings(&world, ids[0]).await;
    assert_eq!(verdicts(&queue), [Verdict::Started, Verdict::Held, Verdict::Held]);
    // One ends, the next one starts: the oldest first, also after a restart.
    abort(&world, queue[0].tasks[0].id).await;
    let second = verdict(&world, ids[0], 1, Verdict::Started).await;
    assert_eq!(firings(&world, ids[0]).await[2].verdict, Verdict::Held);
    world = world.restart().await;
    abort(&world, second.tasks[0].id).await;
    let third = verdict(&world, ids[0], 2, Verdict::Started).await;
    assert_eq!(third.tasks.len(), 1);
}

async fn upstream(world: &World, name: &str, plan: PlanId, after: Value) -> TriggerId {
    trigger(world, name, Kind::Upstream, plan, after).await
}

async fn plans_follow_each_other_once_also_over_a_restart(database: Database) {
    let world = World::on(database).await;
    let (a, b, c) = (
        plan(&world, "a").await,
        plan(&world, "b").await,
        plan(&world, "c").await,
    );
    let after_a = upstream(&world, "b after a", b, json!({ "plans": [a], "results": ["aborted"] })).await;
    let passed = upstream(&world, "c after a passed", c, json!({ "plans": [a] })).await;
    // A chain without an end is refused, and says which.
    let wish = NewTrigger {
        name: "round".into(),
        kind: Kind::Upstream,
        plan_id: a,
        config: json!({ "plans": [b] }),
        enabled: Some(false),
        rules: vec![],
        parameters: Default::default(),
        branch: None,
        revision: None,
        priority: None,
    };
    let why = world
        .engine
        .ports
        .triggers
        .create(&world.ana, wish)
        .await
        .unwrap_err()
        .to_string();
    assert!(why.contains("a → b → a"), "{why}");
    let first = world.run(a).await.id;
    abort(&world, first).await;
    let fired = until(&world, after_a, 1).await.remove(0);
    assert_eq!(fired.cause.task, Some(first));
    assert_eq!(fired.cause.title, format!("a #{first} aborted"));
    let task = world.task(fired.tasks[0].id).await;
    assert_eq!((task.cause.kind, task.plan.id), (CauseKind::Upstream, b));
    // What ended while nobody looked is found at the next start, and what was seen is not seen twice.
    let second = world.run(a).await.id;
    let World {
        dir,
        at,
        clock,
        engine,
        ana,
    } = world;
    let (ports, triggers) = (engine.ports.clone(), engine.triggers.clone());
    engine.stop().await;
    drop(triggers);
    assert!(
        ports.tasks.abort(&ana, second).await.is_ok(),
        "the store outlives the loops"
    );
    let stopped = World::again(dir, at, clock, ana).await;
    let all = until(&stopped, after_a, 2).await;
    assert_eq!(all[1].cause.task, Some(second));
    assert!(firings(&stopped, passed).await.is_empty());
}

async fn several_plans_at_one_revision_start_one_task(database: Database) {
    let world = World::on(database).await;
    let of = |name: &str| format!("name: {name}\nsource: {{ git: /srv/none.git }}\n{PLAN}");
    let (a, b) = (world.plan(&of("a")).await, world.plan(&of("b")).await);
    let c = plan(&world, "c").await;
    let both = upstream(
        &world,
        "both",
        c,
        json!({ "plans": [a, b], "results": ["aborted"], "branch": "rel*" }),
    )
    .await;
    let run = async |plan: PlanId, digit: char| {
        let wish = RunPlan {
            revision: Some(digit.to_string().repeat(40)),
            branch: Some("release".into()),
            ..RunPlan::default()
        };
        abort(&world, world.run_as(plan, wish).await.id).await;
    };
    run(a, '1').await;
    run(b, '2').await;
    run(a, '3').await;
    run(b, '1').await;
    let all = until(&world, both, 1).await;
    assert_eq!(all[0].cause.revision, Some("1".repeat(40)));
    run(b, '3').await;
    run(b, '3').await;
    let all = until(&world, both, 2).await;
    assert_eq!(all[1].cause.revision, Some("3".repeat(40)));
}

async fn a_trigger_that_is_saved_begins_anew_and_one_that_is_off_does_nothing(database: Database) {
    let world = World::on(database).await;
    let app = plan(&world, "app").await;
    let id = trigger(&world, "hourly", Kind::Cron, app, json!({ "cron": "0 * * * *" })).await;
    let ports = &world.engine.ports;
    let off = ports.triggers.enable(&world.ana, id, false).await.unwrap();
    assert_eq!((off.enabled, off.next_fire_at), (false, None));
    world.clock.advance(5 * HOUR);
    world.engine.triggers.wake();
    let on = ports.triggers.enable(&world.ana, id, true).await.unwrap();
    assert!(
        on.next_fire_at.unwrap().since(domain::Timestamp(NOW + 5 * HOUR)) > 0,
        "what it was off for is past"
    );
    let fired = ports.triggers.fire(&world.ana, id).await.unwrap();
    assert_eq!(
        (fired.verdict, fired.cause.by.as_deref()),
        (Verdict::Started, Some("ana"))
    );
    let stale = PutTrigger {
        version: 1,
        name: Some("x".into()),
        ..PutTrigger::default()
    };
    assert!(ports.triggers.save(&world.ana, id, stale.clone()).await.is_err());
    let wish = PutTrigger {
        version: on.version,
        config: Some(json!({ "cron": "30 12 * * *", "zone": "Europe/Berlin" })),
        ..stale
    };
    let saved = ports.triggers.save(&world.ana, id, wish).await.unwrap();
    assert_eq!(
        (saved.name.as_str(), saved.condition.as_str()),
        ("x", "At 12:30 every day")
    );
    assert!(saved.last_firing.is_some());
    let counts = ports.triggers.counts(&world.ana).await.unwrap();
    assert_eq!((counts.on, counts.off), (1, 0));
    ports.triggers.delete(&world.ana, id).await.unwrap();
    let none = ports
        .triggers
        .list(&world.ana, TriggerQuery::default(), PageQuery::default())
        .await
        .unwrap();
    assert!(none.items.is_empty());
}
