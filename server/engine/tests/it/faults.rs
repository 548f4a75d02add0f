//! Disks that are full or not writable: one sentence to the caller, nothing half-written, and on it goes when there is
//! space again. Each test proves that its fault happened.

use crate::support::{Database, TinyDisk, World};
use domain::queue::ReasonCode;
use domain::status::TaskStatus;
use domain::task::{CauseKind, RunPlan, TaskView};
use domain::{Error, PlanId, Timestamp};
use engine::store::{Batch, Db, Location, OpenError, Store};
use futures::FutureExt;
use protocol::{AttemptEvent, Exit, FromAgent, StepEnd, ToAgent};
use std::path::Path;

const ONE: &str = "name: one\nsteps:\n  - run: true\n";

async fn pragma(store: &Store, sql: &'static str) {
    store
        .write(move |tx| {
            let mut batch = Batch::default();
            batch.push(sql, []);
            async move { tx.run(batch).await }.boxed()
        })
        .await
        .unwrap();
}

async fn run(w: &World, plan: PlanId) -> Result<TaskView, Error> {
    w.engine
        .ports
        .tasks
        .run(&w.ana, plan, RunPlan::default(), CauseKind::Api)
        .await
}

/// Runs the plan until the disk refuses; answers the refusal.
async fn until_refused(w: &World, plan: PlanId) -> Error {
    for _ in 0..5_000 {
        if let Err(e) = run(w, plan).await {
            return e;
        }
    }
    panic!("the disk never filled: the test tested nothing");
}

fn is_one_sentence(e: &Error) {
    let Error::Unavailable(what) = e else {
        panic!("not unavailable: {e:?}")
    };
    assert!(!what.contains('\n'), "{what}");
    // Refused before anything was tried, or by the database when it was.
    let before = what.starts_with("The disk of the server is nearly full") && what.contains("no new task is taken");
    let then = what.starts_with("The server cannot write its database") && what.contains("Nothing was changed");
    assert!(before || then, "{what}");
}

/// Each task has its job, its attempt, both steps and its first event; none of them is alone.
async fn is_whole(store: &Store) -> i64 {
    let Db::Sqlite(p) = store.db() else {
        panic!("for SQLite only")
    };
    let mut p = p.take().await.unwrap();
    let sql = "SELECT (SELECT COUNT(*) FROM tasks), (SELECT COUNT(*) FROM jobs), (SELECT COUNT(*) FROM attempts), \
               (SELECT COUNT(*) FROM steps) / 2, (SELECT COUNT(*) FROM events WHERE kind = 'task.created')";
    let (tasks, jobs, attempts, steps, events): (i64, i64, i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(&mut *p).await.unwrap();
    assert_eq!((jobs, attempts, steps, events), (tasks, tasks, tasks, tasks));
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut *p)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
    tasks
}

#[tokio::test]
async fn a_database_that_may_not_grow_refuses_and_goes_on() {
    let w = World::new().await;
    let plan = w.plan(ONE).await;
    run(&w, plan).await.unwrap();
    // SQLite's own limit of pages: the same fault as a full disk, and no root is needed.
    pragma(&w.engine.store, "PRAGMA max_page_count = 1").await;
    is_one_sentence(&until_refused(&w, plan).await);
    let before = is_whole(&w.engine.store).await;
    // Many at once: they share a commit, and the one that meets the fault ends it for all of them.
    let many = futures::future::join_all((0..60).map(|_| run(&w, plan))).await;
    let (done, refused): (Vec<_>, Vec<_>) = many.into_iter().partition(Result::is_ok);
    assert!(!refused.is_empty());
    refused.iter().for_each(|r| is_one_sentence(r.as_ref().unwrap_err()));
    assert_eq!(is_whole(&w.engine.store).await, before + done.len() as i64);
    pragma(&w.engine.store, "PRAGMA max_page_count = 1073741823").await;
    let task = run(&w, plan).await.unwrap();
    assert_eq!(is_whole(&w.engine.store).await, before + done.len() as i64 + 1);
    let mut agent = w.agent(1, &[]).await;
    loop {
        let a = agent.assignment().await;
        agent.run(&a, 0).await;
        if a.task == task.id {
            break;
        }
    }
    assert_eq!(w.task(task.id).await.status, TaskStatus::Passed);
}

#[tokio::test]
async fn a_database_that_may_not_be_written_refuses_and_goes_on() {
    let w = World::new().await;
    let plan = w.plan(ONE).await;
    pragma(&w.engine.store, "PRAGMA query_only = on").await;
    for _ in 0..3 {
        is_one_sentence(&run(&w, plan).await.unwrap_err());
    }
    let many = futures::future::join_all((0..20).map(|_| run(&w, plan))).await;
    many.iter().for_each(|r| is_one_sentence(r.as_ref().unwrap_err()));
    assert_eq!(is_whole(&w.engine.store).await, 0);
    // Only a new connection may write again: the one that may not cannot be told so.
    let w = w.restart().await;
    run(&w, plan).await.unwrap();
    assert_eq!(is_whole(&w.engine.store).await, 1);
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    let Some(disk) = TinyDisk::mount(4_096) else { return };
    let dir = tempfile::tempdir_in(disk.path()).unwrap();
    let at = Location::Sqlite(dir.path().join("caracal.db"));
    let w = World::on(Database { dir, at }).await;
    let plan = w.plan(ONE).await;
    run(&w, plan).await.unwrap();
    disk.fill();
    is_one_sentence(&until_refused(&w, plan).await);
    let before = is_whole(&w.engine.store).await;
    let many = futures::future::join_all((0..40).map(|_| run(&w, plan))).await;
    let refused: Vec<_> = many.iter().filter_map(|r| r.as_ref().err()).collect();
    assert!(!refused.is_empty(), "forty more fit: the disk is not full");
    refused.iter().for_each(|e| is_one_sentence(e));
    let after = is_whole(&w.engine.store).await;
    assert_eq!(after, before + 40 - refused.len() as i64);
    disk.free();
    run(&w, plan).await.unwrap();
    assert_eq!(is_whole(&w.engine.store).await, after + 1);
    // What was answered is there after a restart, too.
    let w = w.restart().await;
    assert_eq!(is_whole(&w.engine.store).await, after + 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_says_so_in_one_line() {
    let refused = |e: Result<Store, OpenError>| match e.map(|_| ()) {
        Err(e @ OpenError::Unusable(..)) => {
            let line = e.to_string();
            assert!(line.contains("cannot be opened") && !line.contains('\n'), "{line}");
        }
        other => panic!("{other:?}"),
    };
    let dir = tempfile::tempdir().unwrap();
    refused(Store::open(&Location::Sqlite(dir.path().join("no-such-folder/caracal.db"))).await);
    std::fs::write(
        dir.path().join("text.db"),
        "This is no database, but it is long enough to be one. ".repeat(99),
    )
    .unwrap();
    refused(Store::open(&Location::Sqlite(dir.path().join("text.db"))).await);
    let Some(disk) = TinyDisk::mount(1_024) else { return };
    disk.write_protect();
    refused(Store::open(&Location::Sqlite(disk.path().join("caracal.db"))).await);
}

#[tokio::test]
async fn output_that_finds_no_space_is_asked_for_again_until_it_is_whole() {
    let Some(disk) = TinyDisk::mount(256) else { return };
    let beside = tempfile::tempdir().unwrap();
    let at = Location::Sqlite(beside.path().join("caracal.db"));
    let w = World::on(Database {
        dir: tempfile::tempdir_in(disk.path()).unwrap(),
        at,
    })
    .await;
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
    agent.write(a.fence, b"before\n");
    disk.fill();
    let bytes: Vec<u8> = (0..40_000).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    let parts: Vec<&[u8]> = bytes.chunks(10_000).collect();
    for part in &parts {
        agent.write(a.fence, part);
    }
    let length = 7 + bytes.len() as u64;
    let end = StepEnd {
        step,
        exit: Exit::Exited(0),
        until: length,
        at: Timestamp(2),
    };
    agent.report(a.fence, AttemptEvent::StepEnded(end)).await;
    let over = agent.ending(a.fence, false);
    agent.tell(a.fence, over);
    // A disk that is full is not asked at once again, but with the next heartbeat.
    agent.say(&FromAgent::Heartbeat { running: Vec::new() });
    let rewound = |m: &ToAgent| match m {
        ToAgent::Rewind { offset, .. } => Some(*offset),
        _ => None,
    };
    let offset = agent.hear_that(rewound).await;
    assert!(offset < length, "the disk took it all: the test tested nothing");
    assert_eq!(
        w.states(task).await.0,
        TaskStatus::Running,
        "it does not end without its output"
    );
    // The agent sends it all again, in vain, and is asked once more.
    for _ in 0..3 {
        send_from(&agent, &a, offset, &bytes);
    }
    agent.say(&FromAgent::Heartbeat { running: Vec::new() });
    agent.hear_that(|m| matches!(m, ToAgent::Extend).then_some(())).await;
    assert_eq!(agent.hear_that(rewound).await, offset);
    let kept = std::fs::read_dir(w.dir.path().join("console")).unwrap().count();
    assert!(kept > 0, "consoles lie on the full disk");
    disk.free();
    send_from(&agent, &a, offset, &bytes);
    agent
        .hear_that(|m| matches!(m, ToAgent::Ack { n, .. } if *n >= 6).then_some(()))
        .await;
    let done = w.task(task).await;
    assert_eq!(done.status, TaskStatus::Passed);
    assert_eq!(done.jobs[0].steps[0].bytes, length as i64);
    assert_eq!(
        stored(w.dir.path(), a.fence.attempt.0),
        [b"before\n", bytes.as_slice()].concat()
    );
}

fn send_from(agent: &crate::support::FakeAgent, a: &protocol::Assignment, offset: u64, bytes: &[u8]) {
    let all = [b"before\n", bytes].concat();
    for (i, part) in all[offset as usize..].chunks(9_000).enumerate() {
        agent.write_at(a.fence, offset + i as u64 * 9_000, part);
    }
}

fn stored(data: &Path, attempt: i64) -> Vec<u8> {
    std::fs::read(data.join(format!("console/{}/{attempt}.out", attempt / 1000))).unwrap()
}

#[tokio::test]
async fn a_disk_that_runs_full_takes_no_new_task_while_aborts_and_what_runs_go_on() {
    let Some(disk) = TinyDisk::mount(16_384) else { return };
    let dir = tempfile::tempdir_in(disk.path()).unwrap();
    let at = Location::Sqlite(dir.path().join("caracal.db"));
    let w = World::on(Database { dir, at }).await;
    let mut agent = w.agent(2, &[]).await;
    let plan = w.plan(ONE).await;
    let (quiet, loud) = (w.run(plan).await.id, w.run(plan).await.id);
    let (a, b) = (agent.assignment().await, agent.assignment().await);
    let waits = w.run(plan).await.id;
    agent.prepare(&a).await;
    agent.prepare(&b).await;
    agent.step(&b, 0, Exit::Exited(0)).await;
    let (step, at) = (b.steps[1].id, Timestamp(1));
    agent
        .report(b.fence, AttemptEvent::StepStarted { step, from: 0, at })
        .await;
    assert!(w.dir.path().join("reserve").exists());

    disk.fill();
    w.engine.dispatch.sweep_once().await;
    assert!(
        !w.dir.path().join("reserve").exists(),
        "what was kept for this is given back"
    );
    let refused = run(&w, plan).await.unwrap_err();
    is_one_sentence(&refused);
    assert!(
        refused.to_string().starts_with("The disk of the server is nearly full"),
        "{refused}"
    );
    let rerun = w.engine.ports.tasks.rerun(&w.ana, quiet, false).await.unwrap_err();
    is_one_sentence(&rerun);
    assert!(w.engine.ports.queue.figures(&w.ana).await.unwrap().disk_left.is_some());
    // Reading goes on, and an abort is written and carried out.
    assert_eq!(w.task(quiet).await.status, TaskStatus::Running);
    w.engine.ports.tasks.abort(&w.ana, quiet).await.unwrap();
    agent
        .hear_that(|m| matches!(m, ToAgent::Abort { fence } if *fence == a.fence).then_some(()))
        .await;
    agent.end(a.fence, true).await;
    assert_eq!(w.states(quiet).await.0, TaskStatus::Aborted);
    // The slot is free, and what waits goes on waiting: its output could not be stored.
    let held = w.task(waits).await;
    assert_eq!(held.status, TaskStatus::Pending);
    assert!(held.reason.unwrap().starts_with("The server's disk is nearly full"));
    let waiting = w.engine.ports.queue.waiting(&w.ana).await.unwrap();
    assert_eq!(waiting[0].reason_code, ReasonCode::Disk);
    // Output is not taken: it stays where it is, and is asked for again.
    agent.write(b.fence, b"while it was full\n");
    let end = StepEnd {
        step,
        exit: Exit::Exited(0),
        until: 18,
        at,
    };
    agent.report(b.fence, AttemptEvent::StepEnded(end)).await;
    let over = agent.ending(b.fence, false);
    let n = agent.tell(b.fence, over);
    let rewound = |m: &ToAgent| matches!(m, ToAgent::Rewind { offset: 0, .. }).then_some(());
    agent.hear_that(rewound).await;
    assert_eq!(w.states(loud).await.0, TaskStatus::Running);

    disk.free();
    agent.write_at(b.fence, 0, b"while it was full\n");
    agent
        .hear_that(|m| matches!(m, ToAgent::Ack { fence, n: acked } if *fence == b.fence && *acked == n).then_some(()))
        .await;
    assert_eq!(w.states(loud).await.0, TaskStatus::Passed);
    assert_eq!(stored(w.dir.path(), b.fence.attempt.0), b"while it was full\n");
    assert_eq!(
        agent.assignment().await.task,
        waits,
        "handed out by the end that freed a slot"
    );
    run(&w, plan).await.unwrap();
    w.engine.dispatch.sweep_once().await;
    assert!(w.dir.path().join("reserve").exists(), "it is kept again");
    is_whole(&w.engine.store).await;
    w.nothing_is_stuck().await;
}
