//! W6: a task in a container beside the engine's own create, attach, start and wait, asked for directly; cold, warm, and
//! what a further step costs.
//!
//! **Invariant:** rounds of floor and product alternate, on one engine, with one image, each on an engine without
//! containers but the warm ones.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::engine::{Engine, IMAGE};
use crate::floor;
use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, ms, wall_ns};

const ROUNDS: usize = 3;
const TASKS: usize = 10;
/// Steps of the task that tells what a further step costs.
const STEPS: usize = 41;
const STEP: &str = "{ name: say, command: [echo, hello] }";
/// Tells when its first instructions run.
const STAMP: &str = "{ name: stamp, command: [date, '+%s%N'] }";

/// When a task's console was complete and when it had ended, in milliseconds from the call that made it.
struct Times {
    said: f64,
    ended: f64,
}

/// Measures all three.
pub async fn measure(report: &mut Report) -> Result<()> {
    let engine = Engine::open().await?;
    cold(&engine, report).await?;
    warm(&engine, report).await?;
    engine.close().await
}

/// 3 × 10 tasks of one step beside 3 × 2 × 10 bare containers, and 3 tasks of many steps.
async fn cold(engine: &Engine, report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start_with(
        &data,
        &["--executor", "docker", "--slots", "2"],
        &[("CARACAL_WARM_SLOTS", "false")],
    )
    .await?;
    server.agent_online().await?;
    let image = format!("image: {IMAGE}\n");
    let one = server.plan("container", &image, &[STEP]).await?;
    // The first task also makes the slot's network.
    task(&server, one).await?;

    let (mut bridged, mut bare, mut said, mut ended) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        for _ in 0..TASKS {
            engine.empty().await?;
            bare.push(engine.bare(false).await?);
            bridged.push(engine.bare(true).await?);
        }
        for _ in 0..TASKS {
            engine.empty().await?;
            let times = task(&server, one).await?;
            said.push(times.said);
            ended.push(times.ended);
        }
    }
    engine.empty().await?;
    server.stop()?;

    let median = |values| Series::new(values).at(50.0);
    let (bridged, bare) = (median(bridged), median(bare));
    let ended = Series::new(ended);
    let p50 = ended.at(50.0);
    // Twice: a step has a network of its slot, and half as much again of an engine's time goes into that alone.
    for (what, floor) in [
        ("a bare container on a bridge", bridged),
        ("one without a network", bare),
    ] {
        report.row(
            format!("W6 cold container task, API call → ended, p50, beside {what}"),
            format!("{p50:.0} ms = {:.2} ×", p50 / floor),
            &format!("{floor:.0} ms"),
            "≤ 1.10 × floor",
            p50 <= 1.10 * floor,
        );
    }
    report.note("W6 the same, p95", format!("{:.0} ms", ended.at(95.0)));
    report.note("W6 API call → console complete, p50", format!("{:.0} ms", median(said)));
    Ok(())
}

/// 3 × 10 tasks, each when a container waits for it.
async fn warm(engine: &Engine, report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "docker", "--slots", "1"]).await?;
    server.agent_online().await?;
    let plan = server.plan("warm", &format!("image: {IMAGE}\n"), &[STAMP]).await?;
    server.run(plan).await?;
    let mut http = server.http().await?;
    let (mut first, mut ended) = (vec![], vec![]);
    let mut waiting = String::new();
    for _ in 0..ROUNDS * TASKS {
        waiting = engine.warm(&waiting).await?;
        // The engine says that it runs before its shim has called.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = wall_ns();
        let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
        let id = task["id"].as_i64().context("the new task has no id")?;
        let printed = http.get(&format!("/api/v1/tasks/{id}/console?follow=true")).await?.body;
        server.ended(id).await?;
        ended.push((wall_ns() - began) / 1e6);
        let stamp: f64 = String::from_utf8_lossy(&printed)
            .trim()
            .parse()
            .context("the step's stamp")?;
        first.push((stamp - began) / 1e6);
    }
    further(&server, report).await?;
    server.stop()?;
    let (first, ended) = (Series::new(first), Series::new(ended));
    let p50 = first.at(50.0);
    report.row(
        "W6 warm slot, API call → first command in a container, p50",
        format!("{p50:.2} ms"),
        "",
        "≤ 8 ms",
        p50 <= 8.0,
    );
    report.note("W6 the same, p95", format!("{:.2} ms", first.at(95.0)));
    report.note(
        "W6 warm slot, API call → ended, p50",
        format!("{:.1} ms", ended.at(50.0)),
    );
    Ok(())
}

/// Three tasks of many steps, each of which tells when it runs; what lies between two, beside what one needs by itself.
async fn further(server: &Server, report: &mut Report) -> Result<()> {
    let steps: Vec<String> = (0..STEPS)
        .map(|n| STAMP.replace("stamp", &format!("stamp-{n}")))
        .collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let plan = server.plan("steps", &format!("image: {IMAGE}\n"), &steps).await?;
    let (mut between, mut floors) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        floors.push(floor::first_command(STEPS)?.at(50.0));
        let task = server.run(plan).await?;
        let console = format!("/api/v1/tasks/{}/console", task["id"]);
        let printed = server.http().await?.get(&console).await?.body;
        let stamps: Vec<f64> = String::from_utf8_lossy(&printed).lines().flat_map(str::parse).collect();
        if stamps.len() != STEPS {
            bail!("{} of {STEPS} steps told their time", stamps.len());
        }
        between.extend(stamps.windows(2).map(|pair| (pair[1] - pair[0]) / 1e6));
    }
    let (between, floor) = (Series::new(between), Series::new(floors).at(50.0));
    let over = between.at(50.0) - floor;
    report.row(
        "W6 next step of the same image, over what its program needs, p50",
        format!("{over:.2} ms"),
        &format!("{floor:.2} ms"),
        "≤ 1 ms",
        over <= 1.0,
    );
    report.note(
        "W6 from one step's first command to the next one's, p95",
        format!("{:.2} ms", between.at(95.0)),
    );
    Ok(())
}

/// Runs a plan whose step says hello.
async fn task(server: &Server, plan: i64) -> Result<Times> {
    let mut http = server.http().await?;
    let began = Instant::now();
    let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
    let id = task["id"].as_i64().context("the new task has no id")?;
    let heard = http.get(&format!("/api/v1/tasks/{id}/console?follow=true")).await?.body;
    let said = ms(began.elapsed());
    let task = server.ended(id).await?;
    let ended = ms(began.elapsed());
    if task["status"] != "passed" {
        bail!("container task {id} ended {}: {}", task["status"], task["reason"]);
    }
    if heard != b"hello\n" {
        bail!("container task {id} said {:?}", String::from_utf8_lossy(&heard));
    }
    Ok(Times { said, ended })
}
