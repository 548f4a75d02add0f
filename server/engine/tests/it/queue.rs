//! Enqueueing, placing, order, reasons.

use crate::support::{Database, World, on_both};
use domain::queue::ReasonCode;
use domain::status::{JobStatus, TaskStatus};
use domain::task::{CauseKind, RunPlan, TaskQuery};
use domain::{Error, PlanId};

on_both!(
    a_task_is_handed_out_in_the_write_that_makes_it,
    jobs_run_side_by_side_and_wait_for_what_they_need,
    a_failure_skips_what_needs_it_and_says_so,
    what_fits_nowhere_holds_up_nobody_and_says_why,
    the_queue_goes_by_priority_then_by_age,
    a_paused_agent_takes_nothing_and_the_sentence_names_it,
    wishes_that_make_no_sense_are_told_all_at_once,
    lists_are_filtered_and_paged_by_key,
);

const ONE: &str = "name: one\nsteps:\n  - run: true\n";
const DAG: &str =
    "name: dag\njobs:\n  a: {steps: [{run: a}]}\n  b: {steps: [{run: b}]}\n  c: {needs: [a, b], steps: [{run: c}]}\n";

async fn a_task_is_handed_out_in_the_write_that_makes_it(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(2, &[]).await;
    agent.hear().await;
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await;
    // The answer to the enqueueing call itself says so: nothing polled in between.
    assert_eq!(task.status, TaskStatus::Running);
    assert_eq!(task.jobs[0].status, JobStatus::Preparing);
    let a = agent.assignment().await;
    assert_eq!(a.task, task.id);
    assert_eq!(a.env["CARACAL_PLAN"], "one");
    assert_eq!(a.env["CARACAL_TASK_ID"], task.id.to_string());
    assert_eq!(a.env["CARACAL_CAUSE"], "api");
    assert_eq!(a.env["CI"], "true");
    agent.run(&a, 0).await;
    let task = w.task(task.id).await;
    assert_eq!(task.status, TaskStatus::Passed);
    assert!(task.jobs[0].steps[0].started_at.is_some());
}

async fn jobs_run_side_by_side_and_wait_for_what_they_need(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(4, &[]).await;
    let plan = w.plan(DAG).await;
    let task = w.run(plan).await;
    let (a, b) = (agent.assignment().await, agent.assignment().await);
    assert_eq!(
        w.states(task.id).await.1,
        [JobStatus::Preparing, JobStatus::Preparing, JobStatus::Pending],
        "two run at once, the third waits"
    );
    let c = &w.task(task.id).await.jobs[2];
    assert!(c.reason.as_deref().unwrap().contains("a"), "{:?}", c.reason);
    agent.run(&a, 0).await;
    assert_eq!(
        w.states(task.id).await.1[2],
        JobStatus::Pending,
        "one of two is not enough"
    );
    agent.run(&b, 0).await;
    let c = agent.assignment().await;
    assert_eq!(c.env["CARACAL_JOB"], "c");
    agent.run(&c, 0).await;
    assert_eq!(w.states(task.id).await.0, TaskStatus::Passed);
}

async fn a_failure_skips_what_needs_it_and_says_so(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(4, &[]).await;
    let plan = w.plan(DAG).await;
    let task = w.run(plan).await;
    let (a, b) = (agent.assignment().await, agent.assignment().await);
    agent.run(&a, 3).await;
    agent.run(&b, 0).await;
    let task = w.task(task.id).await;
    assert_eq!(task.status, TaskStatus::Failed);
    assert_eq!(task.jobs[2].status, JobStatus::Skipped);
    assert!(
        task.reason.as_deref().unwrap().contains("exit code 3"),
        "{:?}",
        task.reason
    );
    assert!(
        task.jobs[2].reason.as_deref().unwrap().contains('a'),
        "{:?}",
        task.jobs[2].reason
    );
}

async fn what_fits_nowhere_holds_up_nobody_and_says_why(database: Database) {
    let w = World::on(database).await;
    let gpu = w
        .plan("name: gpu\nruns_on: [\"gpu == yes\"]\nsteps: [{run: x}]\n")
        .await;
    let one = w.plan(ONE).await;
    let mut stuck = Vec::new();
    for _ in 0..30 {
        stuck.push(w.run(gpu).await.id);
    }
    let waiting = w.engine.ports.queue.waiting(&w.ana).await.unwrap();
    assert_eq!(waiting.len(), 30);
    assert!(!waiting[0].reason.is_empty());
    let mut agent = w.agent(1, &[]).await;
    let task = w.run(one).await;
    assert_eq!(
        agent.assignment().await.task,
        task.id,
        "thirty jobs in front of it fit nowhere"
    );
    let waiting = w.engine.ports.queue.waiting(&w.ana).await.unwrap();
    assert_eq!(waiting.len(), 30);
    assert!(
        waiting.iter().all(|q| q.reason_code == ReasonCode::NoAgent),
        "{:?}",
        waiting[0]
    );
    assert!(waiting[0].reason.contains("gpu"), "{}", waiting[0].reason);
    assert_eq!(waiting[0].agents.len(), 1);
    assert!(!waiting[0].agents[0].fits);
}

async fn the_queue_goes_by_priority_then_by_age(database: Database) {
    let w = World::on(database).await;
    let plan = w.plan(ONE).await;
    let mut ids = Vec::new();
    for priority in [0, 0, 10, -5] {
        let wish = RunPlan {
            priority: Some(priority),
            ..RunPlan::default()
        };
        ids.push(
            w.engine
                .ports
                .tasks
                .run(&w.ana, plan, wish, CauseKind::Api)
                .await
                .unwrap()
                .id,
        );
        w.clock.advance(1);
    }
    let mut agent = w.agent(1, &[]).await;
    for want in [ids[2], ids[0], ids[1], ids[3]] {
        let a = agent.assignment().await;
        assert_eq!(a.task, want);
        agent.run(&a, 0).await;
    }
}

async fn a_paused_agent_takes_nothing_and_the_sentence_names_it(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    agent.hear().await;
    let agents = &w.engine.ports.agents;
    let seen = agents.get(&w.ana, agent.id).await.unwrap();
    let pause = domain::agent::PatchAgent {
        version: seen.version,
        availability: Some(domain::status::Availability::Paused),
        note: Some("disk swap".into()),
        ..Default::default()
    };
    let paused = agents.patch(&w.ana, agent.id, pause.clone()).await.unwrap();
    let stale = agents.patch(&w.ana, agent.id, pause.clone()).await;
    assert!(matches!(stale, Err(Error::Conflict(_))), "{stale:?}");
    let plan = w.plan(ONE).await;
    let task = w.run(plan).await;
    assert_eq!(task.status, TaskStatus::Pending);
    let reason = task.reason.unwrap();
    assert!(reason.contains("paused") && reason.contains("disk swap"), "{reason}");
    let resume = domain::agent::PatchAgent {
        version: paused.version,
        availability: Some(domain::status::Availability::Active),
        ..Default::default()
    };
    agents.patch(&w.ana, agent.id, resume).await.unwrap();
    assert_eq!(agent.assignment().await.task, task.id);
}

async fn wishes_that_make_no_sense_are_told_all_at_once(database: Database) {
    let w = World::on(database).await;
    let plan = w.plan(ONE).await;
    let wish = RunPlan {
        branch: Some("main".into()),
        revision: Some("xyz".into()),
        priority: Some(101),
        parameters: [("level".to_owned(), "quick".to_owned())].into(),
    };
    let refused = w.engine.ports.tasks.run(&w.ana, plan, wish, CauseKind::Api).await;
    let Err(Error::Invalid { problems, .. }) = refused else {
        panic!("{refused:?}")
    };
    let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["priority", "branch", "revision", "parameters.level"]);
    let missing = w
        .engine
        .ports
        .tasks
        .run(&w.ana, PlanId(99), RunPlan::default(), CauseKind::Api)
        .await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}

async fn lists_are_filtered_and_paged_by_key(database: Database) {
    let w = World::on(database).await;
    let (one, two) = (w.plan(ONE).await, w.plan(&ONE.replace("name: one", "name: two")).await);
    let mut ids = Vec::new();
    for i in 0..7 {
        ids.push(w.run(if i % 2 == 0 { one } else { two }).await.id);
    }
    ids.reverse();
    let tasks = &w.engine.ports.tasks;
    let mut query = TaskQuery::default();
    query.page.limit = Some(3);
    let mut seen = Vec::new();
    loop {
        let page = tasks.list(&w.ana, query.clone()).await.unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|t| t.id));
        match page.next_cursor {
            Some(c) => query.page.cursor = Some(c),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    for (query, want) in [
        (
            TaskQuery {
                plan: vec!["two".into()],
                ..TaskQuery::default()
            },
            3,
        ),
        (
            TaskQuery {
                plan: vec![one.to_string()],
                ..TaskQuery::default()
            },
            4,
        ),
        (
            TaskQuery {
                status: vec!["waiting".into()],
                ..TaskQuery::default()
            },
            7,
        ),
        (
            TaskQuery {
                status: vec!["passed".into()],
                ..TaskQuery::default()
            },
            0,
        ),
        (
            TaskQuery {
                q: Some(format!("#{}", ids[0])),
                ..TaskQuery::default()
            },
            1,
        ),
        (
            TaskQuery {
                q: Some("TW".into()),
                ..TaskQuery::default()
            },
            3,
        ),
        (
            TaskQuery {
                q: Some("100%".into()),
                ..TaskQuery::default()
            },
            0,
        ),
        (
            TaskQuery {
                cause: vec!["manual".into()],
                ..TaskQuery::default()
            },
            0,
        ),
        (
            TaskQuery {
                agent: vec!["builtin".into()],
                ..TaskQuery::default()
            },
            0,
        ),
    ] {
        let got = tasks.list(&w.ana, query.clone()).await.unwrap().items.len();
        assert_eq!(got, want, "{query:?}");
    }
    let wrong = tasks
        .list(
            &w.ana,
            TaskQuery {
                status: vec!["done".into()],
                ..TaskQuery::default()
            },
        )
        .await;
    assert!(matches!(wrong, Err(Error::Invalid { .. })), "{wrong:?}");
}
