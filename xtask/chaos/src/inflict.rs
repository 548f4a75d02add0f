//! Doing it: each fault at its instant, and the proof that it took.
//!
//! **Invariant:** a fault counts only when it was seen to take: a process that died of SIGKILL, one that the kernel shows
//! stopped, bytes that the proxy held up or lost, an engine that answers no more.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::fault::Fault;
use crate::proxy::Fault as Net;
use crate::site::{Site, Who};
use crate::submit::{Asked, submit};
use crate::witness::{Witness, Word};
use crate::workload::Work;

/// How long a fault waits for what it is to hit, or to be felt.
pub const TARGET: Duration = Duration::from_secs(20);

/// Where a fault is inflicted.
pub struct Scene<'a> {
    /// The processes.
    pub site: &'a mut Site,
    /// The round's own.
    pub random: StdRng,
    /// What steps tell.
    pub words: Receiver<Word>,
    /// Who heard it.
    pub witness: &'a Witness,
    /// How the names of this round's steps begin.
    pub mark: &'a str,
    /// The mark in every step's environment.
    pub run: &'a str,
    /// The tasks of this round.
    pub asking: Vec<JoinHandle<Result<Asked>>>,
    /// How many more than these a fault has asked for.
    pub more: usize,
}

/// What came of a fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hits {
    /// How often it took.
    pub took: u64,
    /// How often a step was running at that instant, as far as the witness knew.
    pub amid: u64,
}

impl Hits {
    /// So many; `amid`: a step was running.
    pub fn new(took: u64, amid: bool) -> Self {
        Self {
            took,
            amid: u64::from(amid && took > 0),
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.took += other.took;
        self.amid += other.amid;
    }
}

impl Fault {
    /// Does it once, with what it needs to be over again.
    ///
    /// # Errors
    /// When a process does not come up or go down as it should.
    pub async fn inflict(self, scene: &mut Scene<'_>) -> Result<Hits> {
        match self {
            Self::Kill(who) => {
                scene.pause(100..1500).await;
                scene.kill(&[who], 3000).await
            }
            Self::KillAtStart(who) => {
                scene.heard(Word::Start).await;
                scene.pause(0..10).await;
                scene.kill(&[who], 1500).await
            }
            Self::KillAtEnd(who) => {
                scene.heard(Word::End).await;
                scene.pause(0..15).await;
                scene.kill(&[who], 1500).await
            }
            Self::KillLoop(who) => {
                let mut hits = Hits::default();
                for _ in 0..5 {
                    hits.add(scene.kill(&[who], 1).await?);
                    scene.pause(0..400).await;
                }
                Ok(hits)
            }
            Self::KillBoth => {
                scene.pause(100..1500).await;
                scene.kill(&[Who::Server, Who::Agent], 2000).await
            }
            Self::Terminate(who) => scene.terminate(who).await,
            Self::Drain => {
                scene.pause(100..1500).await;
                let amid = scene.running();
                scene.site.signal(Who::Agent, Signal::TERM)?;
                let status = scene.site.down(Who::Agent).await?;
                ensure!(status.success(), "the agent ended after draining with {status}");
                scene.site.up(Who::Agent).await?;
                Ok(Hits::new(1, amid))
            }
            Self::Freeze(who) => scene.freeze(who).await,
            Self::Delay => {
                let by = Duration::from_millis(scene.random.random_range(50..500));
                scene.network(Net::Delay(by)).await
            }
            Self::Partition => scene.network(Net::Drop).await,
            Self::HalfOpen => {
                let way = [Net::DropUp, Net::DropDown][scene.random.random_range(0..2)];
                scene.network(way).await
            }
            Self::Reset => scene.network(Net::Reset).await,
            Self::Twice => scene.twice().await,
            Self::EngineKill(_) | Self::EngineStop(_) | Self::EngineAndAgent | Self::EngineAway => {
                scene.engine(self).await
            }
            Self::Disk(Who::Agent) => scene.agent_disk().await,
            Self::Point(name) => scene.point(name).await,
            Self::Clock(who) => scene.clock(who).await,
            Self::Disk(Who::Server) => scene.server_disk().await,
        }
    }
}

impl Scene<'_> {
    /// Asks for a task after some time.
    pub fn ask(&mut self, work: Work, after: Duration) {
        let document = work.document(self.run, self.site.place);
        let client = self.site.client.clone();
        self.asking.push(tokio::spawn(async move {
            sleep(after).await;
            submit(client, work, document).await
        }));
    }

    /// Waits until a step of this round runs.
    pub async fn something_runs(&self) {
        let awaited = timeout(TARGET, async {
            while !self.running() {
                sleep(Duration::from_millis(2)).await;
            }
        });
        let _ = awaited.await; // the fault comes all the same
    }

    /// Whether a step of this round runs, as far as the witness knows.
    pub fn running(&self) -> bool {
        self.witness.running(self.mark) > 0
    }

    /// Waits for some time.
    pub async fn pause(&mut self, milliseconds: Range<u64>) {
        sleep(Duration::from_millis(self.random.random_range(milliseconds))).await;
    }

    /// Waits until a step tells this; when none does, the fault comes late, which is a fault all the same.
    async fn heard(&mut self, wanted: Word) {
        self.words = self.words.resubscribe();
        let found = async {
            while let Ok(word) = self.words.recv().await {
                if word == wanted {
                    return;
                }
            }
        };
        let _ = timeout(TARGET, found).await;
    }

    /// Kills, and starts again after at most so many milliseconds.
    async fn kill(&mut self, all: &[Who], most: u64) -> Result<Hits> {
        let (mut took, amid) = (0, self.running());
        for who in all {
            took += u64::from(self.site.kill(*who).await?);
        }
        self.pause(0..most).await;
        for who in all {
            self.site.up(*who).await?;
        }
        Ok(Hits::new(took, amid))
    }

    async fn terminate(&mut self, who: Who) -> Result<Hits> {
        self.pause(100..1500).await;
        let amid = self.running();
        self.site.signal(who, Signal::TERM)?;
        if who == Who::Agent {
            self.pause(20..500).await;
            self.site.signal(who, Signal::TERM)?;
        }
        let status = self.site.down(who).await?;
        ensure!(status.success(), "the {who:?} ended after SIGTERM with {status}");
        self.pause(0..2000).await;
        self.site.up(who).await?;
        Ok(Hits::new(1, amid))
    }

    async fn freeze(&mut self, who: Who) -> Result<Hits> {
        self.pause(100..1000).await;
        let amid = self.running();
        self.site.signal(who, Signal::STOP)?;
        while !self.site.frozen(who)? {
            sleep(Duration::from_millis(1)).await;
        }
        self.pause(1000..5000).await;
        self.site.signal(who, Signal::CONT)?;
        Ok(Hits::new(1, amid))
    }

    async fn network(&mut self, fault: Net) -> Result<Hits> {
        self.pause(0..1000).await;
        let proxy = self.site.proxy.as_ref().context("this site has no network")?;
        let (before, amid) = (proxy.hits(), self.running());
        proxy.set(fault);
        self.pause(1000..8000).await;
        // A connection with nothing to say feels nothing: it is waited for, so that the fault is one.
        let proxy = self.site.proxy.as_ref().context("this site has no network")?;
        let felt = timeout(TARGET, async {
            while proxy.hits() == before {
                sleep(Duration::from_millis(20)).await;
            }
        });
        let _ = felt.await; // a fault nobody felt shows as none
        proxy.set(Net::None);
        Ok(Hits::new(proxy.hits() - before, amid))
    }

    /// Lets messages come twice, from the greeting on or from the midst of a session.
    async fn twice(&mut self) -> Result<Hits> {
        if self.random.random_bool(0.5) {
            let proxy = self.site.proxy.as_ref().context("this site has no network")?;
            let before = proxy.hits();
            proxy.set(Net::Reset);
            let torn = timeout(TARGET, async {
                while proxy.hits() == before {
                    sleep(Duration::from_millis(1)).await;
                }
            });
            torn.await.context("there was no connection to reset")?;
            proxy.set(Net::Twice);
        }
        self.network(Net::Twice).await
    }

    async fn engine(&mut self, fault: Fault) -> Result<Hits> {
        // With nothing running, an engine's end would be none.
        self.something_runs().await;
        self.pause(0..1500).await;
        let amid = self.running();
        // What steps told before now must be in the console, whatever becomes of them.
        self.witness.note_fault();
        let engine = self.site.engine.as_ref().context("this site has no engine")?;
        match fault {
            Fault::EngineStop(_) | Fault::EngineAway => engine.stop().await?,
            _ => engine.kill().await?,
        }
        if fault == Fault::EngineAndAgent {
            let took = self.site.kill(Who::Agent).await?;
            ensure!(took, "the agent did not die of SIGKILL");
        }
        // Without live-restore it is the next start that ends what runs: soon, so that there is something.
        self.pause(if fault == Fault::EngineKill(false) {
            0..300
        } else {
            100..3000
        })
        .await;
        if fault == Fault::EngineAndAgent && self.random.random_bool(0.5) {
            self.site.up(Who::Agent).await?;
            self.pause(0..2000).await;
        }
        if fault == Fault::EngineAway {
            self.site.agent_says("engine_error", true).await?;
            self.pause(1000..4000).await;
        }
        self.site
            .engine
            .as_ref()
            .context("this site has no engine")?
            .start()
            .await?;
        if fault == Fault::EngineAndAgent && !self.site.runs(Who::Agent) {
            self.pause(0..2000).await;
            self.site.up(Who::Agent).await?;
        }
        if fault == Fault::EngineAway {
            self.site.agent_says("engine_error", false).await?;
        }
        Ok(Hits::new(1, amid))
    }
}
