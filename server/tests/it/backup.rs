//! Backups of a server under load, and what becomes of them when they are restored, damaged or in the way.

use crate::house::{House, call};
use bytes::Bytes;
use domain::auth::Role;
use domain::console::view::Stream;
use domain::ports::Access as _;
use domain::{AttemptId, Timestamp};
use engine::assembly::{Engine, Options};
use engine::clock::TestClock;
use engine::store::Location;
use protocol::Mark;
use serde_json::json;
use server::backup::{MANIFEST, restore, take};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NOW: Timestamp = Timestamp(1_795_185_127_041);
const LEASE: i64 = 600_000;

async fn reopened(data: &Path) -> Engine {
    let options = Options {
        database: Location::Sqlite(data.join("caracal.db")),
        data: data.to_owned(),
        settings: engine::dispatch::Settings::default(),
        clock: TestClock::at(NOW.0),
    };
    Engine::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_what_was_acked_before_it_and_restores() {
    let house = Arc::new(House::new().await);
    let admin = house.user("admin", Role::Admin).await;
    let work = house.work(&admin, "app").await;
    std::fs::write(house.dir.path().join("cli.token"), "secret").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    // Tasks are made, and their output grows, all the time.
    let load = {
        let (house, admin, stop) = (house.clone(), admin.clone(), stop.clone());
        tokio::spawn(async move {
            let mut made = Vec::new();
            let mut bytes = 0_u64;
            while !stop.load(Ordering::Acquire) {
                let path = format!("/api/v1/plans/{}/tasks", work.plan);
                let ran = house.send(call("POST", &path).token(&admin).json(&json!({}))).await;
                made.push(ran.json()["id"].as_i64().unwrap());
                let mark = Mark {
                    at: 0,
                    time: NOW,
                    stream: Stream::Stdout,
                };
                let line = Bytes::from(format!("line {bytes:>10}\n"));
                house
                    .engine
                    .consoles
                    .append(AttemptId(1), bytes, &[mark], &line)
                    .unwrap();
                bytes += line.len() as u64;
            }
            made
        })
    };
    let acked = async || {
        house.get("/api/v1/tasks?limit=1", &admin).await.json()["items"][0]["id"]
            .as_i64()
            .unwrap()
    };
    while acked().await < 50 {
        tokio::task::yield_now().await;
    }
    let before = (acked().await, house.engine.consoles.standing(AttemptId(1)).unwrap().len);
    let outer = tempfile::tempdir().unwrap();
    let to = outer.path().join("deep/backup");
    let manifest = take(house.dir.path(), &to, NOW).await.unwrap();
    let after = acked().await;
    stop.store(true, Ordering::Release);
    let made = load.await.unwrap();
    assert!(after > before.0, "the load went on meanwhile: {before:?} {after}");
    assert!(made.len() as i64 >= after - 1);
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o700);
    let paths: Vec<&str> = manifest.files.iter().map(|f| f.path.as_str()).collect();
    for wanted in ["caracal.db", "console/0/1.idx", "console/0/1.out", "cli.token"] {
        assert!(paths.contains(&wanted), "{paths:?}");
        assert_eq!(
            std::fs::metadata(to.join(wanted)).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    let data = outer.path().join("restored");
    assert_eq!(restore(&to, &data, NOW, LEASE).await.unwrap(), manifest);
    let engine = reopened(&data).await;
    let ana = engine
        .access
        .by_token(&admin)
        .await
        .unwrap()
        .expect("tokens are restored");
    for id in 1..=before.0 {
        let task = engine.ports.tasks.get(&ana, domain::TaskId(id)).await.unwrap();
        assert_eq!(task.status.as_str(), "pending");
    }
    let console = engine.consoles.read(AttemptId(1), 0, 1 << 30).unwrap();
    assert!(console.len() as u64 >= before.1);
    let want: Vec<u8> = (0..console.len() as u64 / 16)
        .flat_map(|n| format!("line {:>10}\n", n * 16).into_bytes())
        .collect();
    assert!(console.starts_with(&want), "byte for byte");
    let stuck = engine::store::orphans(&engine.store, NOW, 0).await.unwrap();
    assert!(stuck.is_empty(), "{stuck:?}");
    assert_eq!(engine.store.audit_check().await.unwrap().1, None);
    // What is made now never takes the id of an attempt that was made after the backup.
    let plan = domain::PlanId(work.plan);
    let cause = domain::task::CauseKind::Api;
    let fresh = engine
        .ports
        .tasks
        .run(&ana, plan, Default::default(), cause)
        .await
        .unwrap();
    assert!(fresh.jobs[0].attempt_id.0 > 1_000_000, "{}", fresh.jobs[0].attempt_id);
    engine.stop().await;
}

#[tokio::test]
async fn what_ran_at_the_backup_has_a_lease_to_come_back_in_and_is_lost_then() {
    let house = House::new().await;
    let admin = house.user("admin", Role::Admin).await;
    let work = house.work(&admin, "app").await;
    let (agent, _) = house.engine.builtin_agent().await.unwrap();
    // As when its agent holds it, and was last heard a day before the restore.
    let held = format!(
        "UPDATE attempts SET status = 'preparing', agent_id = {agent}, epoch = 1, assigned_at = 5, lease_until = 9 WHERE id = 1"
    );
    let started = format!(
        "UPDATE tasks SET status = 'running', started_at = 5 WHERE id = {}",
        work.task
    );
    let written = house.engine.store.write(move |tx| {
        let mut batch = engine::store::Batch::default();
        batch.push(held.clone(), []);
        batch.push("UPDATE jobs SET status = 'preparing', started_at = 5", []);
        batch.push(started.clone(), []);
        Box::pin(async move { tx.run(batch).await })
    });
    written.await.unwrap();
    let outer = tempfile::tempdir().unwrap();
    let (to, data) = (outer.path().join("b"), outer.path().join("d"));
    take(house.dir.path(), &to, NOW).await.unwrap();
    restore(&to, &data, NOW, LEASE).await.unwrap();
    let clock = TestClock::at(NOW.0);
    let engine = Engine::start(Options {
        database: Location::Sqlite(data.join("caracal.db")),
        data: data.clone(),
        settings: engine::dispatch::Settings::default(),
        clock: clock.clone(),
    })
    .await
    .unwrap();
    let ana = engine.access.by_token(&admin).await.unwrap().unwrap();
    let status = async || {
        engine
            .ports
            .tasks
            .get(&ana, domain::TaskId(work.task))
            .await
            .unwrap()
            .status
            .to_string()
    };
    engine.dispatch.sweep_once().await;
    assert_eq!(status().await, "running");
    clock.advance(LEASE);
    engine.dispatch.sweep_once().await;
    assert_eq!(status().await, "lost");
    engine.stop().await;
}

#[tokio::test]
async fn what_is_in_the_way_or_damaged_is_refused_in_one_sentence() {
    let house = House::new().await;
    let admin = house.user("admin", Role::Admin).await;
    house.work(&admin, "app").await;
    let data = house.dir.path();
    let outer = tempfile::tempdir().unwrap();
    let (to, new) = (outer.path().join("b"), outer.path().join("d"));
    let refused = async |result: anyhow::Result<server::backup::Manifest>, part: &str| {
        let said = format!("{:#}", result.expect_err(part));
        assert!(said.contains(part) && !said.contains('\n'), "{said}");
    };
    refused(take(outer.path(), &to, NOW).await, "there is no data folder").await;
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("mine"), "").unwrap();
    refused(take(data, &to, NOW).await, "is not empty").await;
    refused(restore(&to, &new, NOW, LEASE).await, "is no backup").await;
    std::fs::remove_file(to.join("mine")).unwrap();
    refused(take(data, &data.join("backup"), NOW).await, "lies in the data folder").await;
    std::fs::remove_dir(data.join("backup")).unwrap();
    take(data, &to, NOW).await.unwrap();

    std::fs::create_dir(&new).unwrap();
    std::fs::write(new.join("mine"), "").unwrap();
    refused(restore(&to, &new, NOW, LEASE).await, "is not empty").await;
    std::fs::remove_dir_all(&new).unwrap();

    // One bit.
    let database = to.join("caracal.db");
    let good = std::fs::read(&database).unwrap();
    let mut bad = good.clone();
    bad[5_000] ^= 1;
    std::fs::write(&database, &bad).unwrap();
    refused(
        restore(&to, &new, NOW, LEASE).await,
        "is not what its manifest.json says",
    )
    .await;
    std::fs::remove_file(&database).unwrap();
    refused(restore(&to, &new, NOW, LEASE).await, "cannot be copied").await;
    std::fs::write(&database, &good).unwrap();

    let manifest = std::fs::read_to_string(to.join(MANIFEST)).unwrap();
    for (with, part) in [
        (
            manifest.replace("\"caracal.db\"", "\"../caracal.db\""),
            "lies outside of it",
        ),
        (
            manifest.replace("\"caracal.db\"", "\"/etc/passwd\""),
            "lies outside of it",
        ),
        (manifest.replace("\"format\": 1", "\"format\": 2"), "has form 2"),
        (manifest[..50].to_owned(), "is damaged"),
    ] {
        std::fs::write(to.join(MANIFEST), with).unwrap();
        refused(restore(&to, &new, NOW, LEASE).await, part).await;
    }
    // Nothing is left of what was refused.
    let left: Vec<_> = std::fs::read_dir(outer.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["b"]);
    std::fs::write(to.join(MANIFEST), manifest).unwrap();
    restore(&to, &new, NOW, LEASE).await.unwrap();
}
