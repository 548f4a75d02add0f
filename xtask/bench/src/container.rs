//! W6: a task in a container beside the engine's own create, attach, start and wait, asked for directly.
//!
//! **Invariant:** rounds of floor and product alternate, on one engine, with one image, each on an engine without containers.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::engine::{Engine, IMAGE};
use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, ms};

const ROUNDS: usize = 3;
const TASKS: usize = 10;
/// Steps of the task that tells what a further step costs.
const STEPS: usize = 11;
const STEP: &str = "{ name: say, command: [echo, hello] }";

/// When a task's console was complete and when it had ended, in milliseconds from the call that made it.
struct Times {
    said: f64,
    ended: f64,
}

/// Measures 3 × 10 tasks of one step beside 3 × 2 × 10 bare containers, and 3 tasks of many steps.
pub async fn measure(report: &mut Report) -> Result<()> {
    let engine = Engine::open().await?;
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "docker", "--slots", "2"]).await?;
    server.agent_online().await?;
    let image = format!("image: {IMAGE}\n");
    let one = server.plan("container", &image, &[STEP]).await?;
    let named: Vec<String> = (1..=STEPS).map(|n| STEP.replace("say", &format!("say-{n}"))).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let many = server.plan("containers", &image, &named).await?;
    // The first task also makes the slot's network.
    task(&server, one, 1).await?;

    let (mut bridged, mut bare, mut said, mut ended, mut further) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        for _ in 0..TASKS {
            engine.empty().await?;
            bare.push(engine.bare(false).await?);
            bridged.push(engine.bare(true).await?);
        }
        let mut singles = Vec::new();
        for _ in 0..TASKS {
            engine.empty().await?;
            let times = task(&server, one, 1).await?;
            said.push(times.said);
            singles.push(times.ended);
        }
        engine.empty().await?;
        let all = task(&server, many, STEPS).await?.ended;
        ended.extend_from_slice(&singles);
        further.push((all - Series::new(singles).at(50.0)) / (STEPS - 1) as f64);
    }
    engine.empty().await?;
    server.stop()?;
    engine.close().await?;

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
    let further = median(further);
    report.row(
        "W6 next step of the same image",
        format!("{further:.1} ms"),
        "",
        "≤ 1 ms",
        further <= 1.0,
    );
    Ok(())
}

/// Runs a plan whose `steps` steps each say hello.
async fn task(server: &Server, plan: i64, steps: usize) -> Result<Times> {
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
    if heard != "hello\n".repeat(steps).as_bytes() {
        bail!("container task {id} said {:?}", String::from_utf8_lossy(&heard));
    }
    Ok(Times { said, ended })
}
