//! W4: what a browser downloads for the first page, when it paints and when it is alive, and when it shows the end of a
//! finished console of a million lines, by a real Chromium.
//!
//! **Invariant:** every load has an empty cache and a warm server; a load that ended in a fault is no figure.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::report::Report;
use crate::server::{Data, PASSWORD, Server, USER};

const LINES: usize = 1_000_000;

/// Measures the queue page with a short history, and the console.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "process"]).await?;
    server.agent_online().await?;
    let site = server.http().await?.get("/pkg/caracal_bg.wasm").await?;
    if site.status != 200 {
        bail!("this binary carries no pages' scripts and styles; `cargo xtask build --release` makes one that does");
    }
    let lines = server
        .plan("lines", "", &[&format!("{{ name: count, command: [seq, '{LINES}'] }}")])
        .await?;
    let task = server.run(lines).await?;
    let plan = server
        .plan("a-plan-with-a-name", "", &["{ name: noop, command: ['true'] }"])
        .await?;
    for _ in 0..5 {
        server.run(plan).await?;
    }
    let html = server.http().await?.get("/").await?.body;
    let data_there = String::from_utf8_lossy(&html).contains("a-plan-with-a-name");
    report.row(
        "W4 data in the HTML of the first page",
        if data_there { "yes" } else { "no" },
        "",
        "yes",
        data_there,
    );

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../end2end/bench/page.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(format!("http://{}", server.address))
        .args([USER, PASSWORD, &format!("/tasks/{}", task["id"]), &LINES.to_string()])
        .output();
    let output = output.context("starting node")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let figures: Value = serde_json::from_slice(&output.stdout).context("the figures of the browser")?;
    let number = |of: &str, name: &str| {
        figures[of][name]
            .as_f64()
            .with_context(|| format!("no figure {of}.{name}"))
    };
    let code = number("first", "code")? / 1e3;
    report.row(
        "W4 main WASM + JS + CSS, compressed",
        format!("{code:.0} KB"),
        "",
        "≤ 350 KB",
        code <= 350.0,
    );
    let all = number("first", "all")? / 1e3;
    report.note(
        "W4 everything, fonts included",
        format!("{all:.0} KB in {} requests", number("first", "requests")?),
    );
    report.note(
        "W4 first contentful paint, p50 of 5",
        format!("{:.0} ms", number("first", "paint")?),
    );
    let hydrated = number("first", "hydrated")?;
    report.row(
        "W4 hydrated, p50 of 5",
        format!("{hydrated:.0} ms"),
        "",
        "≤ 400 ms",
        hydrated <= 400.0,
    );
    let seen = number("end", "seen")?;
    report.row(
        format!("W4 finished console of {LINES} lines, last line in sight, p50 of 5"),
        format!("{seen:.0} ms"),
        "",
        "≤ 300 ms",
        seen <= 300.0,
    );
    report.note(
        "W4 its first contentful paint, its hydration",
        format!(
            "{:.0} ms, {:.0} ms",
            number("end", "paint")?,
            number("end", "hydrated")?
        ),
    );
    server.stop()
}
