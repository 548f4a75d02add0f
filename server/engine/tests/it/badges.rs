//! Badges: who sees one, and what it says.

use crate::support::{Database, World, on_both, viewer};
use domain::auth::{Role, TokenScope, Viewer};
use domain::status::TaskStatus;
use domain::task::{CauseKind, RunPlan};
use domain::{Error, PlanId, TaskId, UserId};

on_both!(
    a_badge_is_seen_by_its_key_or_by_who_may_read_the_plan,
    a_badge_says_how_the_last_finished_task_of_the_branch_ended,
);

async fn look(world: &World, viewer: Option<&Viewer>, key: Option<&str>, plan: PlanId) -> Result<bool, Error> {
    let seen = world.engine.ports.badges.look(viewer, key, plan, None).await?;
    Ok(seen.by_key)
}

async fn a_badge_is_seen_by_its_key_or_by_who_may_read_the_plan(database: Database) {
    let world = World::on(database).await;
    let badges = &world.engine.ports.badges;
    let plan = world.plan("name: app\nsteps: [{run: 'true'}]\n").await;
    let other = world.plan("name: other\nsteps: [{run: 'true'}]\n").await;
    let nowhere = PlanId(999);
    let unknown = |id: PlanId| Error::NotFound(format!("Plan {id}"));
    assert_eq!(
        badges.key(&world.ana, plan).await.unwrap(),
        None,
        "off until somebody makes it"
    );
    for key in [None, Some(""), Some("bdg_"), Some("bdg_x")] {
        assert_eq!(look(&world, None, key, plan).await, Err(unknown(plan)), "{key:?}");
    }
    let ben = viewer(UserId(2), Role::Viewer);
    assert_eq!(look(&world, Some(&ben), None, plan).await, Ok(false));
    let metrics = Viewer {
        scopes: Some(vec![TokenScope::Metrics]),
        ..ben.clone()
    };
    let refused = look(&world, Some(&metrics), None, plan).await.unwrap_err();
    assert_eq!(refused.status(), 403, "{refused}");

    let made = badges.make(&world.ana, plan).await.unwrap();
    assert!(made.key.len() > 40 && made.url.ends_with(&format!("/plans/{plan}/badge.svg?key={}", made.key)));
    assert_eq!(
        badges.key(&world.ana, plan).await.unwrap(),
        Some(made.clone()),
        "it is shown again"
    );
    let key = Some(made.key.as_str());
    assert_eq!(look(&world, None, key, plan).await, Ok(true));
    assert_eq!(
        look(&world, None, key, other).await,
        Err(unknown(other)),
        "one plan's alone"
    );
    assert_eq!(look(&world, None, key, nowhere).await, Err(unknown(nowhere)));
    assert_eq!(
        look(&world, None, Some(&made.key[..20]), plan).await,
        Err(unknown(plan))
    );
    for refused in [
        badges.key(&ben, plan).await.unwrap_err(),
        badges.make(&ben, plan).await.unwrap_err(),
        badges.remove(&ben, plan).await.unwrap_err(),
    ] {
        assert_eq!(refused.status(), 403, "{refused}");
    }

    let again = badges.make(&world.ana, plan).await.unwrap();
    assert_ne!(again.key, made.key);
    assert_eq!(
        look(&world, None, key, plan).await,
        Err(unknown(plan)),
        "the one before"
    );
    let key = Some(again.key.as_str());
    assert_eq!(look(&world, None, key, plan).await, Ok(true));
    badges.remove(&world.ana, plan).await.unwrap();
    assert_eq!(look(&world, None, key, plan).await, Err(unknown(plan)));
    assert_eq!(badges.key(&world.ana, plan).await.unwrap(), None);

    let last = badges.make(&world.ana, plan).await.unwrap();
    world.engine.ports.plans.delete(&world.ana, plan).await.unwrap();
    assert_eq!(
        look(&world, None, Some(&last.key), plan).await,
        Err(unknown(plan)),
        "archived"
    );
    for (action, times) in [("plan.badge_key", 3), ("plan.no_badge_key", 1)] {
        let told = world.audited(action).await;
        let want = (Some(world.ana.user.0), Some(plan.0), "app".to_owned());
        assert_eq!(told, vec![want; times], "{action}, and no key in it");
    }
}

async fn a_badge_says_how_the_last_finished_task_of_the_branch_ended(database: Database) {
    let world = World::on(database).await;
    let plan = world
        .plan("name: app\nsource: { git: 'https://git.example/a/b.git' }\nsteps: [{run: 'true'}]\n")
        .await;
    let status = async |branch: Option<&str>| {
        let branch = branch.map(str::to_owned);
        let seen = world
            .engine
            .ports
            .badges
            .look(Some(&world.ana), None, plan, branch)
            .await;
        seen.unwrap().badge.status
    };
    let run = async |branch: &str| -> TaskId {
        let wish = RunPlan {
            branch: Some(branch.into()),
            revision: Some("4e81b02a77d94e81b02a77d94e81b02a77d94e81".into()),
            ..RunPlan::default()
        };
        let made = world
            .engine
            .ports
            .tasks
            .run(&world.ana, plan, wish, CauseKind::Api)
            .await;
        made.unwrap().id
    };
    let mut agent = None;
    assert_eq!(status(None).await, None);
    let first = run("main").await;
    assert_eq!(status(None).await, Some(TaskStatus::Pending), "none has finished yet");
    for (task, code, branch) in [
        (first, 1, "main"),
        (run("main").await, 0, "main"),
        (run("next").await, 1, "next"),
    ] {
        let agent = match &mut agent {
            Some(agent) => agent,
            none => none.insert(world.agent(1, &[]).await),
        };
        let a = agent.assignment().await;
        agent.run(&a, code).await;
        let want = if code == 0 {
            TaskStatus::Passed
        } else {
            TaskStatus::Failed
        };
        world.until(task, want).await;
        assert_eq!(status(Some(branch)).await, Some(want));
        assert_eq!(status(None).await, Some(want));
    }
    let waits = run("next").await;
    assert_eq!(
        status(Some("next")).await,
        Some(TaskStatus::Failed),
        "the last that finished counts"
    );
    assert_eq!(status(Some("main")).await, Some(TaskStatus::Passed));
    assert_eq!(status(Some("nowhere")).await, None);
    assert_eq!(status(Some("' OR '1'='1")).await, None);
    world.engine.ports.tasks.abort(&world.ana, waits).await.unwrap();
}
