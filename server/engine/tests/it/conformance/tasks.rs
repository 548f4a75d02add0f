//! A task's rows: whole at birth, read as written, changed only where they differ.

use super::{Made, NOW, ODD, agent, later, plan, put, simple, write};
use crate::support::{Database, on_both};
use domain::lifecycle::{Event, changes, step};
use domain::status::{AttemptStatus, JobStatus, StepStatus, TaskStatus};
use domain::{PlanId, TaskId};
use engine::queue::apply;
use engine::store::tasks::{attempts_of, job_task, load, new_attempt, runnable, save, snapshot, view, views};
use engine::store::{Batch, Error, Store, places};
use futures::FutureExt;

on_both!(
    a_task_is_read_as_it_was_written,
    views_come_in_the_order_asked_for,
    what_passed_before_stands_there_as_passed,
    only_what_differs_is_written,
    a_job_has_one_live_attempt,
    a_new_attempt_takes_the_place_of_the_last,
    a_task_of_many_jobs_is_whole,
    what_is_not_there_is_none,
    a_broken_reference_is_refused,
);

const DAG: &str = "name: dag\njobs:\n  a: {steps: [{run: a}]}\n  b: {needs: [a], steps: [{run: b}]}\n";

/// Assigns the first job to the agent and answers what the events came to.
async fn assign(store: &Store, task: TaskId) -> i64 {
    let (agent, _) = agent(store, 1).await;
    write(store, move |tx| {
        async move {
            let (state, _) = load(tx, task).await?.unwrap();
            let job = state.jobs[0].id;
            let event = Event::Assigned {
                job,
                agent,
                epoch: 1,
                lease_until: later(9),
                timeout_ms: Some(5),
            };
            let applied = apply(tx, task, vec![event], None, NOW).await?;
            assert_eq!(applied.refused, [None]);
            Ok(state.jobs[0].attempt.id.0)
        }
        .boxed()
    })
    .await
}

async fn a_task_is_read_as_it_was_written(database: Database) {
    let store = database.open().await;
    let made = plan(&store, DAG).await;
    let mut task = made.task();
    (task.branch, task.build, task.message) = (Some(ODD.into()), Some("b1".into()), Some(format!("{ODD}\n{ODD}")));
    (task.author, task.revision, task.priority) = (Some(ODD.into()), Some("c0ffee".into()), -7);
    let id = put(&store, task).await;
    let seen = view(&store, id).await.unwrap().unwrap();
    assert_eq!(
        (seen.plan.id, seen.plan.name.as_str(), seen.plan.revision),
        (made.id, "dag", 1)
    );
    assert_eq!((seen.status, seen.priority, seen.version), (TaskStatus::Pending, -7, 1));
    assert_eq!((seen.branch.as_deref(), seen.author.as_deref()), (Some(ODD), Some(ODD)));
    assert_eq!(seen.message.unwrap(), format!("{ODD}\n{ODD}"));
    assert_eq!(seen.parameters["level"], ODD);
    assert_eq!((seen.created_at, seen.started_at), (NOW, None));
    assert_eq!(seen.jobs.len(), 2);
    let b = &seen.jobs[1];
    assert_eq!(
        (b.name.as_str(), b.needs.as_slice(), b.status),
        ("b", &["a".to_owned()][..], JobStatus::Pending)
    );
    assert_eq!((b.setup.len(), b.steps.len()), (1, 1));
    assert!(b.steps[0].allow_failure && !b.setup[0].allow_failure);
    assert_eq!(job_task(&store, b.id).await.unwrap(), Some(id));
    let again = snapshot(&store, id).await.unwrap().unwrap();
    assert_eq!(
        (again.digest, again.resolved, again.ended),
        (made.digest, made.plan, false)
    );
    let found = places::places(&store, id).await.unwrap();
    let of: Vec<_> = found.iter().map(|p| (p.job, p.kind.as_str())).collect();
    assert_eq!(of, [(0, "setup"), (0, "step"), (1, "setup"), (1, "step")]);
    assert_eq!(
        places::place(&store, found[0].step).await.unwrap().as_ref(),
        Some(&found[0])
    );
}

async fn views_come_in_the_order_asked_for(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(put(&store, made.task()).await);
    }
    let asked = [ids[1], TaskId(999), ids[2], ids[0]];
    let got: Vec<TaskId> = views(&store, &asked).await.unwrap().iter().map(|t| t.id).collect();
    assert_eq!(got, [ids[1], ids[2], ids[0]]);
    assert!(views(&store, &[]).await.unwrap().is_empty());
}

async fn what_passed_before_stands_there_as_passed(database: Database) {
    let store = database.open().await;
    let made = plan(&store, DAG).await;
    let first = put(&store, made.task()).await;
    let mut task = made.task();
    task.cause.rerun_of = Some(first);
    task.jobs[0].passed = Some(format!("Passed in #{first}; not run again."));
    (task.jobs[0].ready_at, task.jobs[1].ready_at) = (None, Some(NOW));
    let id = put(&store, task).await;
    let seen = view(&store, id).await.unwrap().unwrap();
    let (a, b) = (&seen.jobs[0], &seen.jobs[1]);
    assert_eq!(
        (a.status, a.finished_at, a.steps[0].status),
        (JobStatus::Passed, Some(NOW), StepStatus::Skipped)
    );
    assert_eq!((b.status, b.finished_at), (JobStatus::Pending, None));
    let old = attempts_of(&store, a.id).await.unwrap();
    assert_eq!((old.len(), old[0].status), (1, AttemptStatus::Ended));
}

async fn only_what_differs_is_written(database: Database) {
    let store = database.open().await;
    let id = put(&store, plan(&store, DAG).await.task()).await;
    let before = view(&store, id).await.unwrap().unwrap();
    assign(&store, id).await;
    let after = view(&store, id).await.unwrap().unwrap();
    assert!(after.version > before.version);
    assert_eq!((after.status, after.started_at), (TaskStatus::Running, Some(NOW)));
    assert_eq!(after.jobs[0].status, JobStatus::Preparing);
    assert_eq!(after.jobs[0].agent.as_ref().unwrap().name, "builtin");
    assert_eq!(after.jobs[1], before.jobs[1], "nobody touched b");
    // Nothing happened: nothing is written, but the task's version says that somebody looked.
    write(&store, move |tx| {
        async move {
            let (state, _) = load(tx, id).await?.unwrap();
            let mut same = state.clone();
            assert!(
                step(
                    &mut same,
                    Event::AgentForgot {
                        attempt: domain::AttemptId(999),
                        epoch: 1
                    },
                    NOW
                )
                .is_err()
            );
            let found = changes(&state, &same);
            assert!(found.is_empty());
            let mut batch = Batch::default();
            save(&mut batch, id, &found);
            tx.run(batch).await
        }
        .boxed()
    })
    .await;
    let same = view(&store, id).await.unwrap().unwrap();
    assert_eq!((same.version, &same.jobs), (after.version + 1, &after.jobs));
}

async fn a_job_has_one_live_attempt(database: Database) {
    let store = database.open().await;
    let id = put(&store, simple(&store, "one").await.task()).await;
    let job = view(&store, id).await.unwrap().unwrap().jobs[0].id;
    let second = |number: i64| {
        store.write(move |tx| {
            async move {
                let mut batch = Batch::default();
                let sql = "INSERT INTO attempts (job_id, number, status) VALUES ($1, $2, 'waiting')";
                batch.push(sql, [job.0.into(), number.into()]);
                tx.run(batch).await
            }
            .boxed()
        })
    };
    let refused = second(2).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    write(&store, move |tx| {
        let mut batch = Batch::default();
        batch.push(
            "UPDATE attempts SET finished_at = $1, status = 'ended' WHERE job_id = $2",
            [NOW.0.into(), job.0.into()],
        );
        async move { tx.run(batch).await }.boxed()
    })
    .await;
    let same_number = second(1).await;
    assert!(matches!(same_number, Err(Error::Conflict(_))), "{same_number:?}");
    second(2).await.unwrap();
}

async fn a_new_attempt_takes_the_place_of_the_last(database: Database) {
    let store = database.open().await;
    let id = put(&store, simple(&store, "one").await.task()).await;
    let attempt = assign(&store, id).await;
    let fresh = write(&store, move |tx| {
        async move {
            let mut batch = Batch::default();
            let sql = "UPDATE attempts SET finished_at = $1, status = 'ended', outcome = 'lost' WHERE id = $2";
            batch.push(sql, [NOW.0.into(), attempt.into()]);
            tx.run(batch).await?;
            let (state, _) = load(tx, id).await?.unwrap();
            new_attempt(tx, &state.jobs[0], 2, Some(later(60)), NOW).await
        }
        .boxed()
    })
    .await;
    assert_eq!(fresh.steps.len(), 2);
    let seen = view(&store, id).await.unwrap().unwrap();
    assert_eq!((seen.jobs[0].attempt, seen.jobs[0].attempt_id), (2, fresh.attempt));
    let all = attempts_of(&store, seen.jobs[0].id).await.unwrap();
    assert_eq!(all.iter().map(|a| a.number).collect::<Vec<_>>(), [2, 1], "newest first");
    assert_eq!(all[1].steps.len(), 2);
}

async fn a_task_of_many_jobs_is_whole(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "wide").await;
    let mut task = made.task();
    // More than one multi-row insert holds, each needing the first.
    let one = task.jobs[0].clone();
    task.jobs = (0..250)
        .map(|i| {
            let needs = if i == 0 { Vec::new() } else { vec!["j0".to_owned()] };
            engine::store::tasks::NewJob {
                key: format!("j{i}"),
                needs,
                ..one.clone()
            }
        })
        .collect();
    let id = put(&store, task).await;
    let seen = view(&store, id).await.unwrap().unwrap();
    let names: Vec<&str> = seen.jobs.iter().map(|j| j.name.as_str()).collect();
    assert_eq!(names, (0..250).map(|i| format!("j{i}")).collect::<Vec<_>>());
    assert!(seen.jobs.iter().all(|j| j.steps.len() == 1 && j.setup.len() == 1));
    let (state, _) = write(&store, move |tx| load(tx, id).boxed()).await.unwrap();
    assert!(state.jobs[1..].iter().all(|j| j.needs == [state.jobs[0].id]));
}

async fn what_is_not_there_is_none(database: Database) {
    let store = database.open().await;
    assert!(view(&store, TaskId(1)).await.unwrap().is_none());
    assert!(snapshot(&store, TaskId(1)).await.unwrap().is_none());
    assert!(runnable(&store, PlanId(1)).await.unwrap().is_none());
    assert!(attempts_of(&store, domain::JobId(1)).await.unwrap().is_empty());
    assert!(write(&store, |tx| load(tx, TaskId(1)).boxed()).await.is_none());
    let Made { id, digest, .. } = simple(&store, "one").await;
    let found = runnable(&store, id).await.unwrap().unwrap();
    assert_eq!((found.digest, found.revision, found.enabled), (digest, 1, true));
}

async fn a_broken_reference_is_refused(database: Database) {
    let store = database.open().await;
    let mut task = simple(&store, "one").await.task();
    task.plan = PlanId(999);
    let refused = store
        .write(move |tx| {
            let task = task.clone();
            async move { engine::store::tasks::insert(tx, &task, NOW).await }.boxed()
        })
        .await;
    assert!(
        matches!(refused, Err(Error::Database(_))),
        "foreign keys hold: {refused:?}"
    );
}
