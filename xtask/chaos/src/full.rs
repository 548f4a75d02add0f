//! Disks that run full: what is asked meanwhile, and that the answer is the right one.
//!
//! **Invariant:** a disk is full until somebody was seen to notice, and freed whatever else went wrong.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::Rng;
use tokio::time::{sleep, timeout};

use crate::inflict::{Hits, Scene, TARGET};
use crate::site::Who;
use crate::submit::{Asked, abort};
use crate::workload::Work;

/// How long the step takes that is aborted.
const LONG: Duration = Duration::from_secs(30);
/// How long it may wait for its turn before.
const QUEUED: Duration = Duration::from_secs(60);

impl Scene<'_> {
    /// The agent's disk is filled under what runs: it says so, and takes no work until there is space again.
    pub async fn agent_disk(&mut self) -> Result<Hits> {
        self.something_runs().await;
        self.pause(0..600).await;
        let amid = self.running();
        self.site.disk(Who::Agent)?.fill()?;
        let noticed = self.no_work_is_taken().await;
        self.site.disk(Who::Agent)?.free()?;
        noticed?;
        self.site.agent_says("disk_error", false).await?;
        Ok(Hits::new(1, amid))
    }

    async fn no_work_is_taken(&mut self) -> Result<()> {
        self.site.agent_says("disk_error", true).await?;
        // What was given back meanwhile is taken again.
        self.site.disk(Who::Agent)?.fill()?;
        let name = self.another();
        let work = Work::plain(&mut self.random, name.clone(), Duration::ZERO);
        self.ask(work, Duration::ZERO);
        self.waits_for_the_disk(&name).await?;
        self.pause(500..3000).await;
        self.waits_for_the_disk(&name).await
    }

    /// Fails unless the task of this plan waits, and says that it is for the disk.
    async fn waits_for_the_disk(&self, plan: &str) -> Result<()> {
        let end = Instant::now() + TARGET;
        loop {
            // Until its plan is saved, nobody knows that name.
            let tasks = self.site.client.get(&format!("/api/v1/tasks?plan={plan}")).await?;
            let tasks = tasks.json().unwrap_or_default();
            let task = &tasks["items"][0];
            if !task.is_null() {
                let (status, why) = (&task["status"], task["reason"].to_string());
                ensure!(
                    *status == "pending" && why.contains("full disk"),
                    "with the agent's disk full, a new task is {status} ({why})"
                );
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the task of {plan} was not made");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The server's disk is filled: new tasks are refused, an abort is taken, and what runs goes on.
    pub async fn server_disk(&mut self) -> Result<Hits> {
        let mut asked = self.begun().await?;
        let amid = self.running();
        self.site.disk(Who::Server)?.fill()?;
        let took = self.refused_but_aborts(&mut asked).await;
        self.pause(0..2000).await;
        self.site.disk(Who::Server)?.free()?;
        self.asking.push(tokio::spawn(async { Ok(asked) }));
        Ok(Hits::new(took?, amid))
    }

    /// One more task, whose only step has started and takes long.
    async fn begun(&mut self) -> Result<Asked> {
        let name = self.another();
        let work = Work::plain(&mut self.random, name, LONG);
        let key = work.jobs[0][0].key.clone();
        self.ask(work, Duration::ZERO);
        let asked = self.asking.pop().context("nothing was asked")?.await??;
        let started = timeout(QUEUED, async {
            while self.witness.seen(&key).starts == 0 {
                sleep(Duration::from_millis(2)).await;
            }
        });
        started.await.context("the step that is to be aborted did not start")?;
        Ok(asked)
    }

    /// How often the server refused a task meanwhile; an abort of this one it must have taken.
    async fn refused_but_aborts(&mut self, asked: &mut Asked) -> Result<u64> {
        let before = self.site.client.refusals();
        let end = Instant::now() + TARGET;
        let (client, task) = (self.site.client.clone(), asked.task);
        let wait = Duration::from_millis(self.random.random_range(0..3000));
        let aborting = tokio::spawn(async move {
            sleep(wait).await;
            abort(&client, task).await
        });
        let mut tried = None;
        loop {
            let refused = self.site.client.refusals() - before;
            let taken = aborting.is_finished();
            if taken && refused > 0 {
                break;
            }
            ensure!(
                Instant::now() < end,
                "with the server's disk full, the abort was taken: {taken}; tasks refused: {refused}"
            );
            // One that came before the server looked at its disk is taken.
            if tried.is_none_or(|one: usize| self.asking[one].is_finished()) {
                let name = self.another();
                let work = Work::plain(&mut self.random, name, Duration::ZERO);
                tried = Some(self.asking.len());
                self.ask(work, Duration::ZERO);
            }
            sleep(Duration::from_millis(50)).await;
        }
        asked.aborted = aborting.await??;
        ensure!(asked.aborted, "the step ended before its abort");
        Ok(self.site.client.refusals() - before)
    }

    /// The name of one more task of this round.
    fn another(&mut self) -> String {
        self.more += 1;
        format!("{}x{}", self.mark, self.more)
    }
}
