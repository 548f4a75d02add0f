//! Failpoints: instants with a name at which a debug build kills itself (`server/failpoint`).
//!
//! **Invariant:** a failpoint counts only when its process died of SIGKILL that nobody here sent, and had said the name.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::Rng;
use tokio::time::sleep;

use crate::inflict::{Hits, Scene};
use crate::site::{Who, binary};
use crate::workload::Work;

/// The variable that names the instants.
const VARIABLE: &str = "CARACAL_FAILPOINTS";
/// How long a process may take to get there.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits for what seems to run before it asks for more.
const MORE: Duration = Duration::from_secs(6);
/// Most often that a point is passed before it kills.
const TIMES: u64 = 4;

/// A debug build: the binary under test itself, or the one that stands in for it in these rounds.
fn debug_binary() -> Result<PathBuf> {
    let path = std::env::var_os("CARACAL_BIN_FAILPOINTS").map_or_else(binary, PathBuf::from);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let there = bytes.windows(VARIABLE.len()).any(|w| w == VARIABLE.as_bytes());
    ensure!(
        there,
        "{} is a release build and has no failpoints; CARACAL_BIN_FAILPOINTS names a debug build",
        path.display()
    );
    Ok(path)
}

impl Scene<'_> {
    /// Starts a process anew that dies at this instant, lets it get there, and starts it as it was before.
    pub async fn point(&mut self, name: &'static str) -> Result<Hits> {
        let who = if name.starts_with("server.") {
            Who::Server
        } else {
            Who::Agent
        };
        let binary = debug_binary()?;
        let said = format!("failpoint {name} reached");
        let before = self.site.traced(who, &said)?;
        self.site.kill(who).await?;
        // Some are passed once in a while alone.
        let rare = matches!(name, "agent.homed" | "agent.warmed");
        let times = self.random.random_range(1..=if rare { 1 } else { TIMES });
        let variable = (VARIABLE, format!("{name}=kill@{times}"));
        self.site.spawn(who, &binary, &[variable])?;
        // Some instants come with work, others when it is done: more is asked for whenever nothing runs, and once in a while
        // in any case, for a step that was aborted never tells its end.
        let end = Instant::now() + PATIENCE;
        let mut next = Instant::now();
        let mut latest = next + MORE;
        let died = loop {
            if let Some(status) = self.site.ended(who)? {
                break Some(status);
            }
            if Instant::now() > end {
                break None;
            }
            let now = Instant::now();
            if now >= latest || now >= next && !self.running() {
                (next, latest) = (now + Duration::from_secs(2), now + MORE);
                let name = format!("{}x{}", self.mark, self.asking.len());
                let work = Work::draw(&mut self.random, name, false);
                self.ask(work, Duration::ZERO);
            }
            sleep(Duration::from_millis(2)).await;
        };
        let amid = self.running();
        self.pause(0..500).await;
        let Some(status) = died else {
            self.site.kill(who).await?;
            self.site.up(who).await?;
            return Ok(Hits::default());
        };
        let took = self.site.traced(who, &said)? > before;
        ensure!(took, "the {who:?} ended with {status} before {name}");
        self.site.up(who).await?;
        Ok(Hits::new(1, amid))
    }
}
