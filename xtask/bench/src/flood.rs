//! W7: output from containers: how fast it comes to the server's disk, what it costs the agent, and whether a quiet step's
//! lines still come in time beside four that write as fast as they can.
//!
//! **Invariant:** the agent is a process of its own, so that its memory is told apart from the server's.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::agent::{self, Agent};
use crate::engine::IMAGE;
use crate::live::millis;
use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, wall_ns};
use crate::viewer::follow;

/// Bytes of the one that is timed.
const BYTES: usize = 400 << 20;
/// Writes 2 MiB of lines again and again: the program that writes shall not be what is measured.
const WRITE: &str = "yes 'a line as long as lines of a build usually are, more or less, with some words and a number 0123456789 in it' \
                     | head -c 2097152 >piece; n=0; while [ $n -lt TIMES ]; do cat piece; n=$((n+1)); done";
/// Ten lines a second for ten seconds. By its path: busybox's shell would take its own, which knows no nanoseconds.
const QUIET: &str = "n=0; while [ $n -lt 100 ]; do /bin/date +%s%N; sleep 0.1; n=$((n+1)); done";

/// Measures the rate alone, then the quiet one beside four floods.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--no-agent"]).await?;
    let token = agent::token(&server, 1).await?;
    let agent = Agent::start(&server, &token, &["--executor", "docker", "--slots", "5"])?;
    server.agent_online().await?;
    rate(&server, &agent, report).await?;
    beside(&server, &agent, report).await?;
    drop(agent);
    server.stop()
}

async fn rate(server: &Server, agent: &Agent, report: &mut Report) -> Result<()> {
    let plan = plan(server, "rate", &WRITE.replace("TIMES", &(BYTES >> 21).to_string())).await?;
    let task = server.run(plan).await?;
    let step = &task["jobs"][0]["steps"][0];
    if task["status"] != "passed" || step["bytes"] != BYTES {
        bail!(
            "the task ended {} with {} bytes: {}",
            task["status"],
            step["bytes"],
            task["reason"]
        );
    }
    let took = millis(&task["finished_at"])? - millis(&step["started_at"])?;
    let rate = BYTES as f64 / 1e6 / (took / 1e3);
    report.row(
        "W7 container → server's disk, start of the step → end of the task",
        format!("{rate:.0} MB/s"),
        "",
        "≥ 50 MB/s",
        rate >= 50.0,
    );
    report.note(
        "W7 agent's memory at its highest meanwhile",
        format!("{:.0} MB", agent.memory()?.1),
    );
    Ok(())
}

async fn beside(server: &Server, agent: &Agent, report: &mut Report) -> Result<()> {
    let flood = plan(server, "flood", "yes").await?;
    let quiet = plan(server, "quiet", QUIET).await?;
    let mut http = server.http().await?;
    let mut floods = Vec::new();
    for _ in 0..4 {
        let task = http.post(&format!("/api/v1/plans/{flood}/tasks"), &json!({})).await?;
        floods.push(task["id"].as_i64().context("the new task has no id")?);
    }
    for id in &floods {
        running(server, *id).await?;
    }
    let (mut late, mut tail) = (Vec::new(), Vec::new());
    let seen = follow(server, quiet, |bytes| {
        let now = wall_ns();
        tail.extend_from_slice(bytes);
        while let Some(end) = tail.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = tail.drain(..=end).collect();
            if let Ok(at) = String::from_utf8_lossy(&line).trim().parse::<f64>() {
                late.push((now - at) / 1e6);
            }
        }
    })
    .await?;
    let mut flooded = 0;
    for id in floods {
        let task = http.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
        flooded += task["jobs"][0]["steps"][0]["bytes"].as_u64().unwrap_or_default();
        if task["status"] != "running" {
            bail!("a flood ended before the quiet one: {}", task["reason"]);
        }
        http.post(&format!("/api/v1/tasks/{id}/abort"), &json!({})).await?;
        server.ended(id).await?;
    }
    if late.len() != 100 {
        bail!("{} of 100 quiet lines came: {}", late.len(), seen.task);
    }
    let late = Series::new(late);
    let p99 = late.at(99.0);
    report.row(
        "W7 a quiet step's line beside four floods → socket, p99",
        format!("{p99:.0} ms"),
        "",
        "≤ 1,000 ms",
        p99 <= 1_000.0,
    );
    report.note("W7 the same, p50", format!("{:.1} ms", late.at(50.0)));
    report.note(
        "W7 bytes the floods wrote meanwhile",
        format!("{:.0} MB", flooded as f64 / 1e6),
    );
    let memory = agent.memory()?.1;
    report.row(
        "W7 agent's memory at its highest, four floods",
        format!("{memory:.0} MB"),
        "",
        "≤ 100 MB",
        memory <= 100.0,
    );
    Ok(())
}

/// A plan of one script in a container.
async fn plan(server: &Server, name: &str, run: &str) -> Result<i64> {
    let step: Value = json!({ "name": name, "run": run });
    server
        .plan(name, &format!("image: {IMAGE}\n"), &[&step.to_string()])
        .await
}

async fn running(server: &Server, id: i64) -> Result<()> {
    let mut http = server.http().await?;
    for _ in 0..3_000 {
        let task = http.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
        if task["jobs"][0]["steps"][0]["bytes"].as_u64().is_some_and(|n| n > 0) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    bail!("task {id} wrote nothing within 30 s")
}
