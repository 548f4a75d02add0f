//! W3: how late a line reaches a viewer, and what a million lines cost: nothing lost, at which rate, in how much memory.
//!
//! **Invariant:** one viewer is connected all the time, as a browser would be, and acknowledges what it takes in.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, ms, wall_ns};
use crate::viewer::follow;

const BURST: usize = 1_000_000;
/// How many there are, one after the other.
const BURSTS: usize = 7;
/// Bytes of each of its lines.
const LINE: usize = 100;
/// The last of them are all different, so that no compression flatters what a finished console weighs.
const VARIED: usize = 1_000;

/// Ten seconds of a thousand stamped lines each.
const TICKS: &str = r#"{ name: ticks, command: [perl, '-MTime::HiRes=time,sleep', '-e', '$|=1; $t=time; for (1..10000) { printf "%.6f a line as long as lines of a build usually are, more or less\n", time; $t+=0.001; $d=$t-time; sleep $d if $d>0 }'] }"#;

/// Measures lag, then the burst, then the finished console.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "process", "--slots", "2"]).await?;
    server.agent_online().await?;
    lag(&server, report).await?;
    let task = burst(&server, report).await?;
    finished(&server, &task, report).await?;
    server.stop()
}

async fn lag(server: &Server, report: &mut Report) -> Result<()> {
    let plan = server.plan("ticks", "", &[TICKS]).await?;
    let (mut lags, mut tail) = (Vec::new(), Vec::new());
    let seen = follow(server, plan, |bytes| {
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
    if lags.len() != 10_000 || seen.jumps > 0 {
        bail!(
            "the viewer saw {} of 10,000 lines and was {} times too far behind",
            lags.len(),
            seen.jumps
        );
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
    let same = "x".repeat(LINE - 1);
    let words = format!(
        r#"perl -e 'srand 1; for $n (1..{VARIED}) {{ printf "%06d %s\n", $n, join "", map {{ chr 97 + rand 26 }} 1..{} }}'"#,
        LINE - 8
    );
    let run = format!("yes {same} | head -n {}; {words}", BURST - VARIED);
    let plan = server
        .plan("burst", "", &[&json!({ "name": "burst", "run": run }).to_string()])
        .await?;
    let before = server.memory()?.0;
    server.forget_peak()?;
    let (mut sent, mut jumps, mut growth) = (0, 0, 0.0);
    let (mut rates, mut whole) = (Vec::new(), Vec::new());
    let mut last = Value::Null;
    for n in 0..BURSTS {
        let seen = follow(server, plan, |bytes| sent += bytes.len()).await?;
        jumps += seen.jumps;
        let task = seen.task;
        if task["status"] != "passed" {
            bail!("the burst ended {}: {}", task["status"], task["reason"]);
        }
        if n == 0 {
            // Read before any console is, for whose bytes this budget is not meant.
            growth = server.memory()?.1 - before;
        }
        // The agent has its step's end before the server has its bytes; a task ends when all of them are synced and agreed.
        let took = millis(&task["finished_at"])? - millis(&task["jobs"][0]["steps"][0]["started_at"])?;
        rates.push(BURST as f64 / took * 1e3);
        whole.push(stored(server, &task, &same).await?);
        last = task;
    }
    let (lines, bytes) = whole.iter().min().copied().unwrap_or_default();
    report.row(
        "W3 1,000,000 lines stored",
        format!("{:.3} %", 100.0 * lines as f64 / BURST as f64),
        "",
        "100 %",
        lines == BURST && bytes == BURST * LINE,
    );
    let first = rates[0];
    let rate = Series::new(rates).at(50.0);
    report.row(
        "W3 lines to the server's disk, start of the step → end of the task, p50",
        format!("{rate:.0} /s"),
        "",
        "≥ 300,000 /s",
        rate >= 300_000.0,
    );
    // The first meets memory that nothing has touched yet.
    report.note("W3 the same, the first of them", format!("{first:.0} /s"));
    report.row(
        "W3 memory growth, server + agent",
        format!("{growth:.0} MB"),
        "",
        "≤ 64 MB",
        growth <= 64.0,
    );
    report.note(
        "W3 bytes the viewer was sent",
        format!(
            "{:.1} of {:.1} MB, {jumps} jumps to the end",
            sent as f64 / 1e6,
            (BURSTS * BURST * LINE) as f64 / 1e6,
        ),
    );
    Ok(last)
}

/// How many lines of a burst are stored as they were written, and how many bytes are.
async fn stored(server: &Server, task: &Value, same: &str) -> Result<(usize, usize)> {
    let step = &task["jobs"][0]["steps"][0];
    let mut http = server.http().await?;
    let stored = http.get(&format!("/api/v1/steps/{}/console", step["id"])).await?.body;
    let expected = |n: usize, line: &[u8]| match (n + VARIED).checked_sub(BURST) {
        None => line.starts_with(same.as_bytes()),
        Some(varied) => line.starts_with(format!("{:06} ", varied + 1).as_bytes()),
    };
    let whole = |(n, line): (usize, &[u8])| line.len() == LINE && line.ends_with(b"\n") && expected(n, line);
    let lines = stored.chunks(LINE).enumerate().filter(|at| whole(*at)).count();
    Ok((lines, stored.len()))
}

async fn finished(server: &Server, task: &Value, report: &mut Report) -> Result<()> {
    let mut http = server.http().await?;
    let step = &task["jobs"][0]["steps"][0];
    let from = BURST - 199;
    for (what, path) in [
        (
            "lines API",
            format!("/api/v1/steps/{}/lines?from={from}&limit=200", step["id"]),
        ),
        ("page", format!("/tasks/{}", task["id"])),
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

/// Milliseconds of an RFC 3339 time within its day; enough for differences of a step.
pub fn millis(time: &Value) -> Result<f64> {
    let text = time.as_str().context("no time")?;
    let clock = text.split(['T', 'Z', '+']).nth(1).context("no clock in the time")?;
    clock
        .split(':')
        .try_fold(0.0, |sum, part| Ok(sum * 60.0 + part.parse::<f64>()? * 1e3))
}
