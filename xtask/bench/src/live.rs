//! W3: how late a line reaches a viewer, and what a million lines cost: nothing lost, at which rate, in how much memory.
//!
//! **Invariant:** one viewer is connected all the time, as a browser would be, and acknowledges what it takes in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::AttemptId;
use domain::live::{FromBrowser, FromServer, decode_bytes};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, ms, wall_ns};

const BURST: u64 = 1_000_000;

/// Ten seconds of a thousand stamped lines each.
const TICKS: &str = r#"{ name: ticks, command: [perl, '-MTime::HiRes=time,sleep', '-e', '$|=1; $t=time; for (1..10000) { printf "%.6f a line as long as lines of a build usually are, more or less\n", time; $t+=0.001; $d=$t-time; sleep $d if $d>0 }'] }"#;

/// Measures lag, then the burst, then the finished console.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "process", "--slots", "2"]).await?;
    server.agent_online().await?;
    lag(&server, report).await?;
    let step = burst(&server, report).await?;
    finished(&server, &step, report).await?;
    server.stop()
}

async fn lag(server: &Server, report: &mut Report) -> Result<()> {
    let plan = server.plan("ticks", "", &[TICKS]).await?;
    let (mut lags, mut tail) = (Vec::new(), Vec::new());
    follow(server, plan, |bytes| {
        let now = wall_ns() / 1e9;
        tail.extend_from_slice(bytes);
        while let Some(end) = tail.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = tail.drain(..=end).collect();
            let stamp = String::from_utf8_lossy(&line);
            if let Some(at) = stamp.split(' ').next().and_then(|text| text.parse::<f64>().ok()) {
                lags.push((now - at) * 1e3);
            }
        }
    })
    .await?;
    if lags.len() != 10_000 {
        bail!("the viewer saw {} of 10,000 lines", lags.len());
    }
    let lags = Series::new(lags);
    let (p50, p95) = (lags.at(50.0), lags.at(95.0));
    report.row(
        "W3 line at 1,000 lines/s → socket, p50",
        format!("{p50:.2} ms"),
        "",
        "≤ 3 ms",
        p50 <= 3.0,
    );
    report.row("W3 the same, p95", format!("{p95:.2} ms"), "", "≤ 10 ms", p95 <= 10.0);
    report.note("W3 the same, worst", format!("{:.1} ms", lags.max()));
    Ok(())
}

async fn burst(server: &Server, report: &mut Report) -> Result<Value> {
    let line = "x".repeat(99);
    let plan = server
        .plan(
            "burst",
            "",
            &[&format!("{{ name: burst, run: 'yes {line} | head -n {BURST}' }}")],
        )
        .await?;
    let before = server.memory()?.0;
    let running = Arc::new(AtomicBool::new(true));
    let highest = async {
        let mut highest = before;
        while running.load(Ordering::Relaxed) {
            highest = server.memory()?.0.max(highest);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok::<f64, anyhow::Error>(highest)
    };
    let mut seen = 0;
    let viewing = async {
        let task = follow(server, plan, |bytes| seen += bytes.len()).await;
        running.store(false, Ordering::Relaxed);
        task
    };
    let (highest, task) = tokio::join!(highest, viewing);
    let (highest, task) = (highest?, task?);
    let step = task["jobs"][0]["steps"][0].clone();
    let took = millis(&step["finished_at"])? - millis(&step["started_at"])?;

    let mut http = server.http().await?;
    let stored = http.get(&format!("/api/v1/steps/{}/console", step["id"])).await?.body;
    let lines = stored.iter().filter(|byte| **byte == b'\n').count() as u64;
    let percent = 100.0 * lines as f64 / BURST as f64;
    report.row(
        "W3 1,000,000 lines stored",
        format!("{percent:.3} %"),
        "",
        "100 %",
        lines == BURST,
    );
    let rate = BURST as f64 / took * 1e3;
    report.row(
        "W3 lines to disk",
        format!("{rate:.0} /s"),
        "",
        "≥ 300,000 /s",
        rate >= 300_000.0,
    );
    let growth = highest - before;
    report.row(
        "W3 memory growth, server + agent",
        format!("{growth:.0} MB"),
        "",
        "≤ 64 MB",
        growth <= 64.0,
    );
    report.note(
        "W3 bytes the viewer was sent",
        format!("{:.1} of {:.1} MB", seen as f64 / 1e6, stored.len() as f64 / 1e6),
    );
    Ok(json!({ "step": step["id"], "task": task["id"], "lines": lines }))
}

async fn finished(server: &Server, step: &Value, report: &mut Report) -> Result<()> {
    let mut http = server.http().await?;
    let from = step["lines"].as_u64().context("no lines")?.saturating_sub(199);
    for (what, path) in [
        (
            "lines API",
            format!("/api/v1/steps/{}/lines?from={from}&limit=200", step["step"]),
        ),
        ("page", format!("/tasks/{}", step["task"])),
    ] {
        let (mut times, mut wire) = (Vec::new(), 0);
        for _ in 0..20 {
            let began = Instant::now();
            let answer = http.call("GET", &path, "Accept-Encoding: br, gzip\r\n", "").await?;
            times.push(ms(began.elapsed()));
            wire = answer.wire;
            if answer.status != 200 {
                bail!("{path} answered {}", answer.status);
            }
        }
        let p50 = Series::new(times).at(50.0);
        let kilobytes = wire as f64 / 1e3;
        report.row(
            format!("W3 open the finished console at its end, {what}"),
            format!("{p50:.1} ms, {kilobytes:.0} KB"),
            "",
            "≤ 20 ms, ≤ 64 KB",
            p50 <= 20.0 && kilobytes <= 64.0,
        );
    }
    Ok(())
}

/// Runs the plan and hands every byte of its console, as the browser's socket brings it, to `take`; the ended task.
async fn follow(server: &Server, plan: i64, mut take: impl FnMut(&[u8])) -> Result<Value> {
    let mut request = format!("ws://{}/live", server.address).into_client_request()?;
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {}", server.token).parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .context("opening /live")?;

    let mut http = server.http().await?;
    let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
    let id = task["id"].as_i64().context("the new task has no id")?;
    let task = http.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
    let attempt = AttemptId(
        task["jobs"][0]["attempt_id"]
            .as_i64()
            .context("the job has no attempt")?,
    );
    let view = FromBrowser::View {
        id: 1,
        attempt,
        from: 0,
        follow: true,
    };
    socket.send(Message::text(serde_json::to_string(&view)?)).await?;
    let mut at = 0;
    loop {
        let message = tokio::time::timeout(Duration::from_secs(120), socket.next()).await;
        match message
            .context("nothing came for 120 s")?
            .context("the socket was closed")??
        {
            Message::Binary(frame) => {
                let (_, offset, bytes) = decode_bytes(&frame).context("a frame of another kind")?;
                take(bytes);
                at = at.max(offset + bytes.len() as u64);
                let ack = FromBrowser::Ack { id: 1, offset: at };
                socket.send(Message::text(serde_json::to_string(&ack)?)).await?;
            }
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(FromServer::Mark { bytes, ended: true, .. }) if bytes <= at => break,
                Ok(FromServer::Refused { detail, .. }) => bail!("the view was refused: {detail}"),
                _ => {}
            },
            _ => {}
        }
    }
    server.ended(id).await
}

/// Milliseconds of an RFC 3339 time within its day; enough for differences of a step.
fn millis(time: &Value) -> Result<f64> {
    let text = time.as_str().context("no time")?;
    let clock = text.split(['T', 'Z', '+']).nth(1).context("no clock in the time")?;
    clock
        .split(':')
        .try_fold(0.0, |sum, part| Ok(sum * 60.0 + part.parse::<f64>()? * 1e3))
}
