//! W2: many no-op tasks queued at once, eight slots: how many end in a second, and what each costs.
//!
//! **Invariant:** the queue is full before the first slot opens: the tasks are made while no agent is there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::floor;
use crate::report::Report;
use crate::server::{Data, Server};

const SLOTS: usize = 8;

struct Run {
    per_second: f64,
    cpu_per_task: f64,
    memory: f64,
    enqueued_per_second: f64,
}

/// Measures 1,000 and 10,000 tasks, each beside a spawn loop.
pub async fn measure(report: &mut Report) -> Result<()> {
    let mut rates = Vec::new();
    for count in [1_000, 10_000] {
        let before = floor::spawn_loop(1_000, SLOTS)?;
        let run = one(count).await?;
        let floor = (before + floor::spawn_loop(1_000, SLOTS)?) / 2.0;
        rates.push(run.per_second);
        report.row(
            format!("W2 {count} no-op tasks, {SLOTS} slots"),
            format!("{:.0} /s", run.per_second),
            &format!("{floor:.0} /s"),
            "≥ 0.35 × floor",
            run.per_second >= 0.35 * floor,
        );
        let (cpu, memory) = (run.cpu_per_task, run.memory);
        report.row(
            format!("W2 CPU a task at {count}"),
            format!("{cpu:.2} ms"),
            "",
            "≤ 1.5 ms",
            cpu <= 1.5,
        );
        report.note(format!("W2 memory after {count}"), format!("{memory:.0} MB"));
        report.note(
            format!("W2 tasks made by REST, 4 clients, {count}"),
            format!("{:.0} /s", run.enqueued_per_second),
        );
    }
    let ratio = rates[1] / rates[0];
    report.row(
        "W2 rate at 10,000 against 1,000",
        format!("{ratio:.2} ×"),
        "",
        "≥ 0.9 ×",
        ratio >= 0.9,
    );
    Ok(())
}

async fn one(count: usize) -> Result<Run> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--no-agent"]).await?;
    let plan = server.plan("noop", "", &["{ name: noop, command: ['true'] }"]).await?;
    let began = Instant::now();
    let path = format!("/api/v1/plans/{plan}/tasks");
    let mut clients = Vec::new();
    for _ in 0..4 {
        let (mut http, path) = (server.http().await?, path.clone());
        clients.push(tokio::spawn(async move {
            for _ in 0..count / 4 {
                http.post(&path, &json!({})).await?;
            }
            Ok::<(), anyhow::Error>(())
        }));
    }
    for client in clients {
        client.await??;
    }
    let enqueued_per_second = count as f64 / began.elapsed().as_secs_f64();
    let enqueue_cpu = server.cpu()?;
    server.stop()?;

    let server = Server::start(&data, &["--executor", "process", "--slots", &SLOTS.to_string()]).await?;
    let began = Instant::now();
    let mut http = server.http().await?;
    let end = began + Duration::from_secs(600);
    for status in ["pending", "running"] {
        loop {
            let open = http
                .get(&format!("/api/v1/tasks?status={status}&limit=1"))
                .await?
                .json()?;
            if open["items"].as_array().context("no items")?.is_empty() {
                break;
            }
            if Instant::now() > end {
                bail!("{count} tasks did not end within 600 s");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let run = Run {
        per_second: count as f64 / began.elapsed().as_secs_f64(),
        cpu_per_task: (enqueue_cpu + server.cpu()?) / count as f64,
        memory: server.memory()?.0,
        enqueued_per_second,
    };
    let failed = http
        .get("/api/v1/tasks?status=failed&status=lost&status=aborted&limit=1")
        .await?
        .json()?;
    if failed["items"].as_array().is_some_and(|items| !items.is_empty()) {
        bail!("some tasks did not pass: {}", failed["items"][0]["reason"]);
    }
    server.stop()?;
    Ok(run)
}
