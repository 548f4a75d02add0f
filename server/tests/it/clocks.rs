//! The program under a clock of its own (libfaketime), which is set while it runs: crons fire once an instant.
//!
//! **Invariant:** each jump is proved by what the program itself says of the time.

use crate::program::{Serving, caracal, prepared};
use domain::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A clock that shows what it is set to, and goes on from there.
struct Clock {
    _folder: TempDir,
    file: PathBuf,
    library: PathBuf,
}

impl Clock {
    fn at(time: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let libraries = std::fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
        let mut libraries = libraries.map(|f| f.path().join("faketime/libfaketimeMT.so.1"));
        let clock = Self {
            file: folder.path().join("offset"),
            _folder: folder,
            library: libraries
                .find(|l| l.exists())
                .expect("libfaketime is not there: run scripts/setup-tests"),
        };
        clock.set(time);
        clock
    }

    /// Sets it; its process sees that within a second.
    fn set(&self, time: &str) {
        let wanted: Timestamp = serde_json::from_value(json!(time)).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let offset = wanted.0 - i64::try_from(now).unwrap();
        let new = self.file.with_extension("new");
        std::fs::write(
            &new,
            format!("{}{}\n", if offset < 0 { "-" } else { "+" }, offset.abs() / 1_000),
        )
        .unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }

    async fn serve(&self, folder: TempDir, token: String) -> Serving {
        let mut serve = caracal(folder.path(), &["serve", "--no-agent", "--listen", "127.0.0.1:0"]);
        serve
            .stderr(Stdio::null())
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        Serving::of(serve, folder, token).await
    }
}

async fn cron(serving: &Serving, name: &str, config: Value) -> i64 {
    let document = format!("name: {name}\nsteps: [{{ run: 'true' }}]\n");
    let plan = serving.made("/plans", json!({ "document": document })).await;
    let wish = json!({ "name": name, "kind": "cron", "plan_id": plan["id"], "config": config });
    serving.made("/triggers", wish).await["id"].as_i64().unwrap()
}

/// For when it has fired, newest first.
fn instants(firings: &Value) -> Vec<String> {
    let of = |f: &Value| f["scheduled_for"].as_str().unwrap_or_default().to_owned();
    firings["items"].as_array().unwrap().iter().map(of).collect()
}

/// Waits until it has fired for an instant; all for which it has.
async fn fired(serving: &Serving, id: i64, instant: &str) -> Vec<String> {
    let path = format!("/triggers/{id}/firings?limit=200");
    let seen = serving.until(&path, |f| instants(f).iter().any(|i| i == instant)).await;
    instants(&seen)
}

#[tokio::test]
async fn crons_fire_once_an_instant_whatever_the_clock_does() {
    // Berlin sets its clocks back at 01:00 UTC that night: 02:30 comes twice.
    let clock = Clock::at("2026-10-25T00:29:57Z");
    let (folder, token) = prepared().await;
    let serving = clock.serve(folder, token).await;
    let berlin = cron(
        &serving,
        "berlin",
        json!({ "cron": "30 2 * * *", "zone": "Europe/Berlin" }),
    )
    .await;
    let each = cron(&serving, "each", json!({ "cron": "* * * * *", "missed": "once" })).await;
    assert_eq!(fired(&serving, berlin, "2026-10-25T00:30:00.000Z").await.len(), 1);

    clock.set("2026-10-25T01:29:57Z");
    fired(&serving, each, "2026-10-25T01:30:00.000Z").await;
    assert_eq!(
        fired(&serving, berlin, "2026-10-25T00:30:00.000Z").await.len(),
        1,
        "02:30 has been"
    );

    // Down for three hours.
    let Serving {
        folder,
        token,
        mut child,
        ..
    } = serving;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    clock.set("2026-10-25T04:29:57Z");
    let serving = clock.serve(folder, token).await;
    let all = fired(&serving, each, "2026-10-25T04:30:00.000Z").await;
    let missed = all
        .iter()
        .filter(|i| *i > &"2026-10-25T01:31:00".to_owned() && *i < &"2026-10-25T04:29:30".to_owned());
    assert!(missed.count() <= 1, "what was missed is made good once: {all:?}");

    // Back a day: what has fired does not fire again, until its time has come once more and passed.
    clock.set("2026-10-24T04:29:57Z");
    let plan = serving.get("/plans").await["items"][0]["id"].clone();
    let begun = std::time::Instant::now();
    loop {
        let (_, task) = serving
            .call("POST", &format!("/plans/{plan}/tasks"), Some(json!({})))
            .await;
        if task["created_at"]
            .as_str()
            .is_some_and(|at| at.starts_with("2026-10-24T04:"))
        {
            break;
        }
        assert!(
            begun.elapsed() < crate::program::STUCK,
            "it does not see that its clock was set: {task}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    clock.set("2026-10-26T01:29:57Z");
    let berlin = fired(&serving, berlin, "2026-10-26T01:30:00.000Z").await;
    assert_eq!(berlin, ["2026-10-26T01:30:00.000Z", "2026-10-25T00:30:00.000Z"]);
    let mut all = fired(&serving, each, "2026-10-26T01:30:00.000Z").await;
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "no instant twice");
}
