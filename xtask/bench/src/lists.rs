//! W2b: the list of tasks and the queue page against the size of the history.
//!
//! **Invariant:** both sizes are measured on the same server build with the same requests, warmed alike.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::report::Report;
use crate::seed;
use crate::server::{Data, Server};
use crate::stats::{Series, ms};

const CLIENTS: usize = 8;

struct Figures {
    p50: f64,
    per_second: f64,
}

/// Measures at 1,000 and at 100,000 finished tasks.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--executor", "process"]).await?;
    server.agent_online().await?;
    let plan = server
        .plan("history", "", &["{ name: noop, command: ['true'] }"])
        .await?;
    server.run(plan).await?;
    server.stop()?;
    let database = database(&data)?;

    let mut measured = Vec::new();
    for (size, copies) in [(1_000, 999), (100_000, 99_000)] {
        seed::copy_newest_task(&database, copies)?;
        let server = Server::start(&data, &["--no-agent"]).await?;
        for path in ["/api/v1/tasks?limit=50", "/"] {
            measured.push((size, path, one(&server, path).await?));
        }
        server.stop()?;
    }
    for (path, wanted) in [("/api/v1/tasks?limit=50", 3_000.0), ("/", 500.0)] {
        let of = |size: i32| {
            measured
                .iter()
                .find(|(s, p, _)| *s == size && *p == path)
                .map(|(.., figures)| figures)
        };
        let (small, large) = (of(1_000).context("1,000")?, of(100_000).context("100,000")?);
        let growth = large.p50 / small.p50;
        report.row(
            format!("W2b GET {path}, 100 k against 1 k tasks"),
            format!("{:.2} / {:.2} ms = {growth:.2} ×", large.p50, small.p50),
            "",
            "≤ 1.3 ×",
            growth <= 1.3,
        );
        report.row(
            format!("W2b GET {path} at 100 k, {CLIENTS} clients"),
            format!("{:.0} /s", large.per_second),
            "",
            &format!("≥ {wanted} /s"),
            large.per_second >= wanted,
        );
    }
    Ok(())
}

async fn one(server: &Server, path: &'static str) -> Result<Figures> {
    let mut http = server.http().await?;
    let mut times = Vec::new();
    for n in 0..220 {
        let began = Instant::now();
        let answer = http.get(path).await?;
        if answer.status != 200 {
            bail!("{path} answered {}", answer.status);
        }
        if n >= 20 {
            times.push(ms(began.elapsed()));
        }
    }
    let end = Instant::now() + Duration::from_secs(4);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut http = server.http().await?;
        clients.push(tokio::spawn(async move {
            let mut answered = 0_usize;
            while Instant::now() < end {
                http.get(path).await?;
                answered += 1;
            }
            Ok::<usize, anyhow::Error>(answered)
        }));
    }
    let mut answered = 0;
    for client in clients {
        answered += client.await??;
    }
    Ok(Figures {
        p50: Series::new(times).at(50.0),
        per_second: answered as f64 / 4.0,
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
