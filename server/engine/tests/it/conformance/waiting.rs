//! What waits, in which order, for what; what runs; how many of each.

use super::{NOW, agent, later, plan, put, simple, write};
use crate::support::{Database, on_both};
use domain::TaskId;
use domain::lifecycle::Event;
use engine::queue::apply;
use engine::store::tasks::{WaitingFilter, counts, held_back, load, ready, resolving, running, waiting_all};
use engine::store::{Batch, Store};
use futures::FutureExt;

on_both!(
    ready_jobs_come_by_priority_then_age,
    demands_that_fit_nowhere_are_passed_over,
    what_is_held_back_comes_when_its_time_has_come,
    what_waits_says_for_which_jobs,
    tasks_being_resolved_are_found,
    running_jobs_show_their_step_and_the_usual_time,
);

async fn heads(store: &Store, limit: i64, blocked: &'static [&'static str], at: i64) -> Vec<TaskId> {
    write(store, move |tx| {
        async move {
            let blocked: Vec<String> = blocked.iter().map(ToString::to_string).collect();
            Ok(ready(tx, limit, &blocked, later(at))
                .await?
                .iter()
                .map(|w| w.place.task)
                .collect())
        }
        .boxed()
    })
    .await
}

async fn run(store: &Store, sql: &'static str, id: TaskId) {
    write(store, move |tx| {
        let mut batch = Batch::default();
        batch.push(sql, [id.0.into()]);
        async move { tx.run(batch).await }.boxed()
    })
    .await;
}

async fn ready_jobs_come_by_priority_then_age(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let mut ids = Vec::new();
    for (priority, since) in [(0, 5), (0, 1), (9, 7), (-3, 0), (9, 7)] {
        let mut task = made.task();
        task.priority = priority;
        task.jobs[0].ready_at = Some(later(since));
        ids.push(put(&store, task).await);
    }
    let want = [ids[2], ids[4], ids[1], ids[0], ids[3]];
    assert_eq!(heads(&store, 10, &[], 0).await, want);
    assert_eq!(heads(&store, 2, &[], 0).await, want[..2]);
    let shown = waiting_all(&store, WaitingFilter::Head(10)).await.unwrap();
    assert_eq!(shown.iter().map(|w| w.place.task).collect::<Vec<_>>(), want);
    assert_eq!(
        (shown[0].place.priority, shown[0].plan.as_str(), shown[0].job.as_str()),
        (9, "one", "main")
    );
    assert_eq!(counts(&store).await.unwrap(), (5, 0));
}

async fn demands_that_fit_nowhere_are_passed_over(database: Database) {
    let store = database.open().await;
    let gpu = plan(&store, "name: gpu\nruns_on: [\"gpu == 'yes'\"]\nsteps: [{run: x}]\n").await;
    let one = simple(&store, "one").await;
    let (a, b) = (put(&store, gpu.task()).await, put(&store, one.task()).await);
    let blocked: &'static str = gpu.task().jobs[0].requirements.clone().leak();
    assert_eq!(heads(&store, 1, &[], 0).await, [a]);
    let list: &'static [&'static str] = vec![blocked, "\"odd\" ' text"].leak();
    assert_eq!(heads(&store, 1, list, 0).await, [b]);
}

async fn what_is_held_back_comes_when_its_time_has_come(database: Database) {
    let store = database.open().await;
    let id = put(&store, simple(&store, "one").await.task()).await;
    assert!(!held_back(&store, later(0)).await.unwrap(), "nothing is held back");
    run(
        &store,
        "UPDATE jobs SET not_before = 1795000000060 WHERE task_id = $1",
        id,
    )
    .await;
    for (at, want) in [(0, false), (59, false), (60, true), (61, true)] {
        assert_eq!(held_back(&store, later(at)).await.unwrap(), want, "{at}");
        assert_eq!(heads(&store, 9, &[], at).await.len(), usize::from(want), "{at}");
    }
}

async fn what_waits_says_for_which_jobs(database: Database) {
    let store = database.open().await;
    let dag = "name: dag\njobs:\n  a: {steps: [{run: a}]}\n  b: {steps: [{run: b}]}\n  c: {needs: [a, b], steps: [{run: c}]}\n";
    let made = plan(&store, dag).await;
    let (first, second) = (put(&store, made.task()).await, put(&store, made.task()).await);
    run(
        &store,
        "UPDATE jobs SET status = 'passed' WHERE task_id = $1 AND key = 'a'",
        second,
    )
    .await;
    for (filter, want) in [
        (
            WaitingFilter::Head(10),
            vec![(first, "a"), (first, "b"), (second, "b"), (first, "c"), (second, "c")],
        ),
        (WaitingFilter::Head(2), vec![(first, "a"), (first, "b")]),
        (WaitingFilter::Task(second), vec![(second, "b"), (second, "c")]),
        (WaitingFilter::Task(TaskId(99)), vec![]),
    ] {
        let got = waiting_all(&store, filter).await.unwrap();
        assert_eq!(
            got.iter().map(|w| (w.place.task, w.job.as_str())).collect::<Vec<_>>(),
            want,
            "{filter:?}"
        );
    }
    let unmet = |task| {
        let store = &store;
        async move {
            let all = waiting_all(store, WaitingFilter::Task(task)).await.unwrap();
            all.last()
                .unwrap()
                .place
                .unmet
                .iter()
                .map(|n| n.key.clone())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(unmet(first).await, ["a", "b"]);
    assert_eq!(unmet(second).await, ["b"]);
}

async fn tasks_being_resolved_are_found(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let mut task = made.task();
    task.reason_code = Some("resolving".into());
    task.branch = Some("main".into());
    let id = put(&store, task.clone()).await;
    put(&store, made.task()).await;
    let gone = put(&store, task).await;
    run(
        &store,
        "UPDATE tasks SET status = 'aborted', finished_at = 1, reason_code = NULL WHERE id = $1",
        gone,
    )
    .await;
    let found = resolving(&store).await.unwrap();
    assert_eq!(found.iter().map(|r| r.id).collect::<Vec<_>>(), [id.0]);
    assert_eq!(found[0].branch.as_deref(), Some("main"));
}

async fn running_jobs_show_their_step_and_the_usual_time(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    for took in [1_000, 2_001] {
        let id = put(&store, made.task()).await;
        run(
            &store,
            "UPDATE jobs SET status = 'passed', started_at = 0 WHERE task_id = $1",
            id,
        )
        .await;
        let sql: &'static str = format!("UPDATE jobs SET finished_at = {took} WHERE task_id = $1").leak();
        run(&store, sql, id).await;
        run(
            &store,
            "UPDATE attempts SET finished_at = 9 WHERE job_id IN (SELECT id FROM jobs WHERE task_id = $1)",
            id,
        )
        .await;
    }
    assert_eq!(counts(&store).await.unwrap(), (0, 0));
    let id = put(&store, made.task()).await;
    let (agent, _) = agent(&store, 1).await;
    write(&store, move |tx| {
        async move {
            let job = load(tx, id).await?.unwrap().0.jobs[0].id;
            let event = Event::Assigned {
                job,
                agent,
                epoch: 1,
                lease_until: later(9),
                timeout_ms: None,
            };
            Ok(apply(tx, id, vec![event], None, NOW).await?.refused)
        }
        .boxed()
    })
    .await;
    run(
        &store,
        "UPDATE steps SET status = 'running' WHERE kind = 'step' AND attempt_id IN (SELECT a.id FROM attempts a \
        JOIN jobs j ON j.id = a.job_id WHERE j.task_id = $1)",
        id,
    )
    .await;
    let found = running(&store, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].task_id, found[0].step.as_deref(), found[0].usual_ms),
        (id, Some("run"), Some(1_500))
    );
    assert!(found[0].preparing && !found[0].aborting);
    assert_eq!(counts(&store).await.unwrap(), (0, 1));
}
