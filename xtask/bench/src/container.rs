//! W6: a task in a container beside the engine's own create, attach, start and wait, asked for directly.
//!
//! **Invariant:** rounds of floor and product alternate, on one engine, with one image and no network traffic.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::net::UnixStream;

use crate::http::Http;
use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, ms};

const IMAGE: &str = "caracal-test:latest";
const ROUNDS: usize = 3;
const TASKS: usize = 10;

/// Measures 3 × 10 tasks beside 3 × 10 bare containers.
pub async fn measure(report: &mut Report) -> Result<()> {
    let host = std::env::var("DOCKER_HOST").context("no engine: DOCKER_HOST is not set (scripts/bench sets it)")?;
    let engine = host.strip_prefix("unix://").context("DOCKER_HOST is no unix socket")?;
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "docker", "--slots", "2"]).await?;
    server.agent_online().await?;
    let plan = server
        .plan(
            "container",
            &format!("image: {IMAGE}\n"),
            &["{ name: say, command: [echo, hello] }"],
        )
        .await?;
    let task = server.run(plan).await?;
    if task["status"] != "passed" {
        bail!("the first container task ended {}: {}", task["status"], task["reason"]);
    }

    let mut http = server.http().await?;
    let (mut floors, mut firsts, mut dones) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..TASKS {
            floors.push(bare(engine).await?);
        }
        for _ in 0..TASKS {
            let began = Instant::now();
            let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
            let id = task["id"].as_i64().context("the new task has no id")?;
            let said = http.get(&format!("/api/v1/tasks/{id}/console?follow=true")).await?.body;
            firsts.push(ms(began.elapsed()));
            if said != b"hello\n" {
                bail!("task {id} said {:?}", String::from_utf8_lossy(&said));
            }
            server.ended(id).await?;
            dones.push(ms(began.elapsed()));
        }
    }
    let (floor, first, done) = (
        Series::new(floors).at(50.0),
        Series::new(firsts).at(50.0),
        Series::new(dones),
    );
    let p50 = done.at(50.0);
    report.row(
        "W6 container task, API call → ended, p50",
        format!("{p50:.0} ms = {:.2} ×", p50 / floor),
        &format!("{floor:.0} ms"),
        "≤ 1.10 × floor",
        p50 <= 1.10 * floor,
    );
    report.note("W6 API call → console complete, p50", format!("{first:.0} ms"));
    report.note("W6 API call → ended, p95", format!("{:.0} ms", done.at(95.0)));
    Ok(())
}

/// One container that says hello, from create to wait; its removal is not counted.
async fn bare(engine: &str) -> Result<f64> {
    let mut control = Http::unix(engine).await?;
    let settings = json!({
        "Image": IMAGE, "Cmd": ["echo", "hello"], "AttachStdout": true, "AttachStderr": true,
        "HostConfig": { "LogConfig": { "Type": "none" }, "NetworkMode": "none" },
    });
    let began = Instant::now();
    let made = control.post("/containers/create", &settings).await?;
    let id = made["Id"].as_str().context("the engine gave no id")?.to_owned();
    let mut attached: Http<UnixStream> = Http::unix(engine).await?;
    attached
        .upgrade(&format!("/containers/{id}/attach?stream=1&stdout=1&stderr=1"))
        .await?;
    control
        .call("POST", &format!("/containers/{id}/start"), "", "")
        .await?
        .json()?;
    let said = attached.read_to_end().await?;
    control
        .call("POST", &format!("/containers/{id}/wait"), "", "")
        .await?
        .json()?;
    let took = ms(began.elapsed());
    control
        .call("DELETE", &format!("/containers/{id}?force=1&v=1"), "", "")
        .await?
        .json()?;
    if !said.ends_with(b"hello\n") {
        bail!("the bare container said {:?}", String::from_utf8_lossy(&said));
    }
    Ok(took)
}
