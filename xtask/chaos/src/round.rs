//! One round: a handful of tasks, one kind of fault while they are made and run, quiet, and the checks.
//!
//! **Invariant:** a round whose fault never took has failed; waiting is bounded, and what is not there by then is stuck.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::fault::Fault;
use crate::inflict::{Hits, Scene};
use crate::site::{Site, database};
use crate::submit::Asked;
use crate::verify::{Found, verify};
use crate::witness::Witness;
use crate::workload::Work;

/// How long a round's tasks may take to end once nothing disturbs them.
const QUIET: Duration = Duration::from_secs(180);
/// How long removals may go on behind the last end.
const REMOVED: Duration = Duration::from_secs(30);

/// What a round came to.
pub struct Outcome {
    /// Tasks asked for.
    pub tasks: u64,
    /// Aborts taken.
    pub aborts: u64,
    /// How often the fault took.
    pub hits: Hits,
    /// The checks.
    pub found: Found,
}

/// What rounds share.
pub struct Ground<'a> {
    /// Who saw the steps.
    pub witness: &'a Witness,
    /// The mark in every step's environment.
    pub run: &'a str,
    /// Few tasks and faults.
    pub brief: bool,
}

/// Runs a round from its own seed.
///
/// # Errors
/// When the system does not do what a round needs: a server that does not start, say.
pub async fn run(ground: &Ground<'_>, site: &mut Site, fault: Fault, seed: u64, number: u64) -> Result<Outcome> {
    if let (Some(live), Some(engine)) = (fault.live_restore(), &mut site.engine) {
        engine.with_live_restore(live).await?;
    }
    let mut random = StdRng::seed_from_u64(seed);
    let mark = format!("r{number}-");
    let tasks = random.random_range(if ground.brief { 3..=5 } else { 5..=10 });
    let blows = random.random_range(if ground.brief { 1..=2 } else { 1..=4 });
    let mut scene = Scene {
        site,
        random,
        words: ground.witness.words(),
        witness: ground.witness,
        mark: &mark,
        run: ground.run,
        asking: Vec::new(),
        more: 0,
    };
    for task in 0..tasks {
        // A fault needs something to hit: the first is never aborted.
        let large = task == 0 || scene.random.random_bool(0.1);
        let mut work = Work::draw(&mut scene.random, format!("{mark}t{task}"), large);
        if task == 0 {
            work.abort_after = None;
        }
        let after = Duration::from_millis(scene.random.random_range(0..2500));
        scene.ask(work, after);
    }
    // The first one finds something that runs, those that follow come when they come.
    scene.something_runs().await;
    let mut hits = Hits::default();
    for _ in 0..blows {
        hits.add(fault.inflict(&mut scene).await?);
    }
    let asking = scene.asking;
    let mut found = Found::default();
    if hits.took == 0 {
        found.wrong("the fault never took".into());
    }
    let mut asked = Vec::new();
    for one in asking {
        match one.await? {
            Ok(one) => asked.push(one),
            Err(e) => found.wrong(format!("{e:#} (I1)")),
        }
    }
    quiet(site, &asked).await?;
    for one in &asked {
        verify(&site.client, ground.witness, one, fault.toll(), &mut found).await?;
    }
    settled(site, ground.run, &mut found).await;
    found.violations.extend(integrity(&site.server_data())?);
    site.alive()?;
    Ok(Outcome {
        tasks: asked.len() as u64,
        aborts: asked.iter().filter(|a| a.aborted).count() as u64,
        hits,
        found,
    })
}

/// Waits until every task has ended, or for long.
async fn quiet(site: &mut Site, asked: &[Asked]) -> Result<()> {
    let end = Instant::now() + QUIET;
    for one in asked {
        loop {
            site.alive()?;
            let task = site.client.get(&format!("/api/v1/tasks/{}", one.task)).await?;
            // One that is not there, or never ends, is for the checks to tell.
            if task.status == 404 || !task.json()?["finished_at"].is_null() || Instant::now() > end {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Waits until nothing is left of steps, and notes what stays.
async fn settled(site: &Site, run: &str, found: &mut Found) {
    let end = Instant::now() + REMOVED;
    loop {
        let left = site.left(run).await;
        if left.is_empty() {
            return;
        }
        if Instant::now() > end {
            found
                .violations
                .extend(left.into_iter().map(|what| format!("{what} (I8)")));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// What SQLite's own check says of the server's database, where its program is there.
fn integrity(data: &Path) -> Result<Option<String>> {
    let output = Command::new("sqlite3")
        .arg("-readonly")
        .arg(database(data))
        .args(["PRAGMA integrity_check; PRAGMA foreign_key_check;"])
        .output();
    let output = match output {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        output => output.context("starting sqlite3")?,
    };
    if !output.status.success() {
        bail!("sqlite3: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((said != "ok").then(|| format!("the database is damaged: {said}")))
}
