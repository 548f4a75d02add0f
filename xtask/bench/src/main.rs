//! `make bench`: the workloads of DESIGN §11 against a release build, beside the floors of the machine in the same run.
//! Prints one table; nothing here passes or fails, because a wall clock is no test.
//!
//! **Invariant:** a workload measures from outside, over the doors that users have: REST, pages, sockets, the process table.

mod agent;
mod container;
mod engine;
mod flood;
mod floor;
mod footprint;
mod http;
mod latency;
mod lists;
mod live;
mod page;
mod report;
mod returning;
mod seed;
mod server;
mod stats;
mod throughput;
mod viewer;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::report::Report;

const ALL: [&str; 9] = ["w1", "w2", "w2b", "w3", "w4", "w5", "w6", "w7", "w8"];

#[tokio::main]
async fn main() -> ExitCode {
    let mut wanted: Vec<String> = std::env::args().skip(1).map(|name| name.to_lowercase()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !ALL.contains(&name.as_str())) {
        eprintln!("bench: no workload is called {unknown}; there are {}", ALL.join(" "));
        return ExitCode::FAILURE;
    }
    if wanted.is_empty() {
        wanted = ALL.map(String::from).to_vec();
    }
    let mut report = Report::new();
    let mut complete = true;
    for name in &wanted {
        eprintln!("bench: {name} …");
        if let Err(error) = one(name, &mut report).await {
            report.broken(name, &error);
            complete = false;
        }
    }
    report.print();
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn one(name: &str, report: &mut Report) -> Result<()> {
    match name {
        "w1" => latency::measure(report).await,
        "w2" => throughput::measure(report).await,
        "w2b" => lists::measure(report).await,
        "w3" => live::measure(report).await,
        "w4" => page::measure(report).await,
        "w5" => footprint::measure(report).await,
        "w6" => container::measure(report).await,
        "w7" => flood::measure(report).await,
        _ => returning::measure(report).await,
    }
    .with_context(|| format!("workload {name}"))
}
