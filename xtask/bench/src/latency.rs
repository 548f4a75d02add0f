//! W1: from the API call to the first command of a step, process executor, one task at a time.
//!
//! **Invariant:** rounds of floor and product alternate, so that a busy moment of the machine hits both.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::floor;
use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, wall_ns};

const ROUNDS: usize = 4;
const TASKS: usize = 50;

/// Measures 4 × 50 tasks beside 4 × 50 bare spawns.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "process", "--slots", "2"]).await?;
    server.agent_online().await?;
    let plan = server
        .plan("stamp", "", &["{ name: stamp, command: [date, '+%s%N'] }"])
        .await?;
    server.run(plan).await?;

    let mut http = server.http().await?;
    let (mut first, mut done, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor::first_command(TASKS)?);
        for n in 0..TASKS {
            // Uneven gaps, so that no period of the server's own is met every time.
            tokio::time::sleep(Duration::from_millis(3 + (n * 7 % 23) as u64)).await;
            let began = wall_ns();
            let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
            let id = task["id"].as_i64().context("the new task has no id")?;
            let printed = http.get(&format!("/api/v1/tasks/{id}/console?follow=true")).await?;
            done.push((wall_ns() - began) / 1e6);
            let stamp: f64 = String::from_utf8_lossy(&printed.body)
                .trim()
                .parse()
                .context("the step's stamp")?;
            first.push((stamp - began) / 1e6);
        }
    }
    let floor = Series::new(floors.iter().map(|series| series.at(50.0)).collect()).at(50.0);
    let (first, done) = (Series::new(first), Series::new(done));
    let (p50, p95) = (first.at(50.0), first.at(95.0));
    report.row(
        "W1 API call → first command, p50",
        format!("{p50:.2} ms"),
        &format!("{floor:.2} ms"),
        "≤ 4 × floor, ≤ 8 ms",
        p50 <= 8.0 && p50 <= 4.0 * floor,
    );
    report.row("W1 the same, p95", format!("{p95:.2} ms"), "", "≤ 25 ms", p95 <= 25.0);
    report.note(
        "W1 API call → console complete, p50",
        format!("{:.2} ms", done.at(50.0)),
    );
    server.stop()
}
