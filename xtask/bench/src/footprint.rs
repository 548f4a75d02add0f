//! W5: how soon a started server answers, and what it costs while nothing happens.
//!
//! **Invariant:** idle means idle: no viewer, no task, nothing asked during the window.

use std::time::Duration;

use anyhow::Result;

use crate::agent::{self, Agent};
use crate::report::Report;
use crate::server::{self, Data, Server};
use crate::stats::{Series, ms};

/// Measures start, memory, idle CPU and size.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let mut starts = Vec::new();
    for _ in 0..6 {
        let server = Server::start(&data, &["--executor", "process"]).await?;
        starts.push(ms(server.first_page));
        server.stop()?;
    }
    // The first start also makes the database; it is told apart.
    let fresh = starts.remove(0);
    let start = Series::new(starts).at(50.0);
    report.row(
        "W5 start → first page, p50",
        format!("{start:.0} ms"),
        "",
        "≤ 60 ms",
        start <= 60.0,
    );
    report.note("W5 the same on an empty data folder", format!("{fresh:.0} ms"));

    let server = Server::start(&data, &["--executor", "process"]).await?;
    server.agent_online().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (cpu, window) = (server.cpu()?, Duration::from_secs(10));
    tokio::time::sleep(window).await;
    let percent = (server.cpu()? - cpu) / ms(window) * 100.0;
    let memory = server.memory()?.0;
    report.row(
        "W5 idle memory with the built-in agent",
        format!("{memory:.0} MB"),
        "",
        "≤ 60 MB",
        memory <= 60.0,
    );
    report.row("W5 idle CPU", format!("{percent:.1} %"), "", "0 %", percent < 0.15);

    let agent = Agent::start(&server, &agent::token(&server, 1).await?, &["--executor", "process"])?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let agent = agent.memory()?.0;
    report.row(
        "W5 idle memory of an agent alone",
        format!("{agent:.1} MB"),
        "",
        "≤ 12 MB",
        agent <= 12.0,
    );
    let size = std::fs::metadata(server::binary())?.len() as f64 / 1e6;
    report.row("W5 binary", format!("{size:.1} MB"), "", "≤ 40 MB", size <= 40.0);
    server.stop()
}
