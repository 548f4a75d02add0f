//! W2b: the list of tasks and the queue page against the size of the history.
//!
//! **Invariant:** both histories are served at the same time by the same build, and asked by turns, so that a busy moment of
//! the machine hits both.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::report::Report;
use crate::seed;
use crate::server::{self, Data, Server};
use crate::stats::{Series, ms};

/// Paths with the answers wanted in a second.
const PATHS: [(&str, f64); 2] = [("/api/v1/tasks?limit=50", 3_000.0), ("/", 500.0)];
const SIZES: [usize; 2] = [1_000, 100_000];
const CLIENTS: usize = 8;
const LOAD: Duration = Duration::from_secs(4);
const ROUNDS: usize = 10;
const REQUESTS: usize = 30;

/// What came of asking as fast as answers come.
struct Load {
    /// Good answers alone.
    per_second: f64,
    /// Answers other than 200.
    failed: usize,
    /// CPU time of an answer, in milliseconds: the server's, and this driver's, which takes part in the same cores.
    server_cpu: f64,
    driver_cpu: f64,
}

/// Measures at 1,000 and at 100,000 finished tasks.
pub async fn measure(report: &mut Report) -> Result<()> {
    let (small, large) = (Data::new()?, Data::new()?);
    histories(&small, &large).await?;
    let small = Server::start(&small, &["--no-agent"]).await?;
    let large = Server::start(&large, &["--no-agent"]).await?;
    for (server, size) in [&small, &large].into_iter().zip(SIZES) {
        let newest = server.http().await?.get(PATHS[0].0).await?.json()?;
        if newest["items"][0]["id"] != size || newest["items"].as_array().is_none_or(|all| all.len() != 50) {
            bail!("the history of {size} tasks is not what the API lists first: {newest}");
        }
    }
    for (path, wanted) in PATHS {
        let (at_small, at_large) = alternate(&small, &large, path).await?;
        let growth = at_large / at_small;
        report.row(
            format!("W2b GET {path}, 100 k against 1 k tasks"),
            format!("{at_large:.2} / {at_small:.2} ms = {growth:.2} ×"),
            "",
            "≤ 1.3 ×",
            growth <= 1.3,
        );
        let mut failed = 0;
        for (what, server) in [("1 k", &small), ("100 k", &large)] {
            let load = load(server, path).await?;
            report.row(
                format!("W2b GET {path} at {what}, {CLIENTS} clients"),
                format!("{:.0} /s", load.per_second),
                "",
                &format!("≥ {wanted} /s"),
                load.per_second >= wanted,
            );
            report.note(
                format!("W2b GET {path} at {what}, CPU an answer"),
                format!("{:.2} ms, and {:.2} ms of the driver", load.server_cpu, load.driver_cpu),
            );
            failed += load.failed;
        }
        report.row(
            format!("W2b GET {path}, answers that failed under load"),
            failed.to_string(),
            "",
            "0",
            failed == 0,
        );
    }
    large.stop()?;
    small.stop()
}

/// Makes one history of each size, the larger out of the smaller.
async fn histories(small: &Data, large: &Data) -> Result<()> {
    let server = Server::start(small, &["--executor", "process"]).await?;
    server.agent_online().await?;
    let plan = server
        .plan("history", "", &["{ name: noop, command: ['true'] }"])
        .await?;
    server.run(plan).await?;
    server.stop()?;
    let from = database(small)?;
    seed::copy_newest_task(&from, SIZES[0] - 1)?;
    let to = large
        .path()
        .join(from.file_name().context("a database without a name")?);
    std::fs::copy(&from, &to).context("copying the history")?;
    seed::copy_newest_task(&to, SIZES[1] - SIZES[0])
}

/// The median of one client at each, in milliseconds.
async fn alternate(small: &Server, large: &Server, path: &str) -> Result<(f64, f64)> {
    let mut connections = [small.http().await?, large.http().await?];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (http, times) in connections.iter_mut().zip(&mut times) {
            for _ in 0..REQUESTS {
                let began = Instant::now();
                let answer = http.get(path).await?;
                if answer.status != 200 {
                    bail!("{path} answered {}", answer.status);
                }
                // The first round warms.
                if round > 0 {
                    times.push(ms(began.elapsed()));
                }
            }
        }
    }
    let [small, large] = times.map(|times| Series::new(times).at(50.0));
    Ok((small, large))
}

async fn load(server: &Server, path: &'static str) -> Result<Load> {
    let end = Instant::now() + LOAD;
    let driver = || server::cpu(std::process::id());
    let (server_before, driver_before) = (server.cpu()?, driver()?);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut http = server.http().await?;
        clients.push(tokio::spawn(async move {
            let (mut answered, mut failed) = (0_usize, 0_usize);
            while Instant::now() < end {
                match http.get(path).await?.status {
                    200 => answered += 1,
                    _ => failed += 1,
                }
            }
            Ok::<_, anyhow::Error>((answered, failed))
        }));
    }
    let (mut answered, mut failed) = (0, 0);
    for client in clients {
        let (good, bad) = client.await??;
        (answered, failed) = (answered + good, failed + bad);
    }
    let count = (answered + failed).max(1) as f64;
    Ok(Load {
        per_second: answered as f64 / LOAD.as_secs_f64(),
        failed,
        server_cpu: (server.cpu()? - server_before) / count,
        driver_cpu: (driver()? - driver_before) / count,
    })
}

fn database(data: &Data) -> Result<std::path::PathBuf> {
    let files = std::fs::read_dir(data.path())?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_database = |path: &std::path::PathBuf| {
        path.is_file() && std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    };
    files
        .into_iter()
        .find(is_database)
        .context("no SQLite file in the data folder")
}
