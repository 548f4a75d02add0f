//! What a site has beside its processes, and what is seen of it from outside.
//!
//! **Invariant:** looking changes nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::engine::Things;
use crate::leftovers;
use crate::site::{PATIENCE, Site, Who};

impl Site {
    /// The disk that a process's data lie on.
    pub fn disk(&self, who: Who) -> Result<&Disk> {
        self.disks.get(&who).context("this site has no disks of its own")
    }

    /// The clock that a process goes by.
    pub fn clock(&mut self, who: Who) -> Result<&mut Clock> {
        self.clocks.get_mut(&who).context("this site has no clocks of its own")
    }

    /// Waits until the agent says that it has this trouble (`engine_error`, `disk_error`), or has it no more.
    pub async fn agent_says(&mut self, what: &str, trouble: bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let agents = self.client.get("/api/v1/agents").await?.json()?;
            let said = &agents["items"][0]["facts"][what];
            if said.is_null() != trouble {
                return Ok(());
            }
            if Instant::now() > end {
                bail!(
                    "the agent's {what} is {said}, {} s after it should be otherwise",
                    PATIENCE.as_secs()
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is left of steps and what ran them, while nothing runs; one sentence each.
    pub async fn left(&self, run: &str) -> Vec<String> {
        let things = match &self.engine {
            Some(engine) => match engine.things().await {
                Ok(things) => Some(things),
                Err(e) => return vec![format!("the engine does not say what is left: {e:#}")],
            },
            None => None,
        };
        leftovers::find(&self.agent_data(), run, things.as_ref())
    }

    /// What is left when all has ended; one sentence each.
    pub async fn left_after_stop(&self, run: &str) -> Vec<String> {
        let mut left = self.left(run).await;
        if let Some(engine) = &self.engine {
            let things = engine.things().await;
            let none = |t: &Things| t.containers.is_empty() && t.networks.is_empty();
            if !things.as_ref().is_ok_and(none) {
                left.push(format!(
                    "something outlived the agent's orderly end on the engine: {things:?}"
                ));
            }
        }
        left.extend(leftovers::after_stop(&self.agent_data()));
        left
    }

    /// Keeps beside the traces what would go with the engine.
    pub fn keep_traces(&self) {
        if let Some(engine) = &self.engine {
            engine.keep_log(&self.folder);
        }
    }

    /// How often a process's trace says this.
    pub fn traced(&self, who: Who, words: &str) -> Result<usize> {
        let trace = std::fs::read(self.trace(who))?;
        Ok(String::from_utf8_lossy(&trace).matches(words).count())
    }
}
