//! The faults: what is done to the processes, and the proof that it was.
//!
//! **Invariant:** a fault counts only when it was seen to take: a process that died of SIGKILL, one that the kernel shows
//! stopped, bytes that the proxy held up or lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::Rng;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};

use crate::proxy::Fault as Net;
use crate::site::{Site, Who};
use crate::witness::Word;

/// How long a fault waits for the step it is to hit.
const TARGET: Duration = Duration::from_secs(20);

/// A kind of fault; a round has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL at a random instant.
    Kill(Who),
    /// SIGKILL when a step has just begun.
    KillAtStart(Who),
    /// SIGKILL when a step ends.
    KillAtEnd(Who),
    /// SIGKILL five times, each as soon as it is up again or sooner.
    KillLoop(Who),
    /// SIGKILL of server and agent at once.
    KillBoth,
    /// SIGTERM, as an operator's restart; an agent needs two to leave what runs.
    Terminate(Who),
    /// One SIGTERM to an agent: it finishes what runs, goes, and comes again.
    Drain,
    /// SIGSTOP for some seconds.
    Freeze(Who),
    /// The network holds everything up.
    Delay,
    /// The network loses everything, both ways.
    Partition,
    /// The network loses one way.
    HalfOpen,
    /// The network resets every connection.
    Reset,
}

impl Fault {
    /// Faults of a server with its built-in agent.
    pub const ALONE: &[Self] = &[
        Self::KillAtEnd(Who::Server),
        Self::Kill(Who::Server),
        Self::KillLoop(Who::Server),
        Self::KillAtStart(Who::Server),
        Self::Terminate(Who::Server),
        Self::Freeze(Who::Server),
    ];
    /// Faults of a server and an agent of its own process.
    pub const APART: &[Self] = &[
        Self::KillAtEnd(Who::Agent),
        Self::Partition,
        Self::KillBoth,
        Self::KillAtEnd(Who::Server),
        Self::HalfOpen,
        Self::KillLoop(Who::Agent),
        Self::Reset,
        Self::Kill(Who::Server),
        Self::Delay,
        Self::Kill(Who::Agent),
        Self::KillAtStart(Who::Agent),
        Self::Freeze(Who::Agent),
        Self::Terminate(Who::Agent),
        Self::Terminate(Who::Server),
        Self::Drain,
        Self::Freeze(Who::Server),
        Self::KillLoop(Who::Server),
        Self::KillAtStart(Who::Server),
    ];

    /// Its name in the table; `remote`: the agent is a process of its own.
    pub fn name(self, remote: bool) -> String {
        let (what, who) = match self {
            Self::Kill(who) => ("kill -9", Some(who)),
            Self::KillAtStart(who) => ("kill -9 as a step starts", Some(who)),
            Self::KillAtEnd(who) => ("kill -9 as a step ends", Some(who)),
            Self::KillLoop(who) => ("kill -9 five times", Some(who)),
            Self::KillBoth => ("kill -9 of server and agent", None),
            Self::Terminate(who) => ("SIGTERM and restart", Some(who)),
            Self::Drain => ("drain and restart: agent", None),
            Self::Freeze(who) => ("SIGSTOP, SIGCONT", Some(who)),
            Self::Delay => ("network: delay", None),
            Self::Partition => ("network: all lost", None),
            Self::HalfOpen => ("network: one way lost", None),
            Self::Reset => ("network: RST", None),
        };
        match who {
            None => what.to_owned(),
            Some(Who::Server) if remote => format!("{what}: server"),
            Some(Who::Server) => format!("{what}: server with agent"),
            Some(Who::Agent) => format!("{what}: agent"),
        }
    }

    /// Does it once, with what it needs to be over again.
    ///
    /// # Errors
    /// When a process does not come up or go down as it should.
    pub async fn inflict(
        self,
        site: &mut Site,
        random: &mut StdRng,
        words: &mut Receiver<Word>,
        running: &dyn Fn() -> bool,
    ) -> Result<Hits> {
        match self {
            Self::Kill(who) => {
                pause(random, 100..1500).await;
                kill(site, &[who], random, running, 3000).await
            }
            Self::KillAtStart(who) => {
                heard(words, Word::Start).await;
                pause(random, 0..10).await;
                kill(site, &[who], random, running, 1500).await
            }
            Self::KillAtEnd(who) => {
                heard(words, Word::End).await;
                pause(random, 0..15).await;
                kill(site, &[who], random, running, 1500).await
            }
            Self::KillLoop(who) => {
                let mut hits = Hits::default();
                for _ in 0..5 {
                    hits.add(kill(site, &[who], random, running, 1).await?);
                    pause(random, 0..400).await;
                }
                Ok(hits)
            }
            Self::KillBoth => {
                pause(random, 100..1500).await;
                kill(site, &[Who::Server, Who::Agent], random, running, 2000).await
            }
            Self::Terminate(who) => {
                pause(random, 100..1500).await;
                let amid = running();
                site.signal(who, Signal::TERM)?;
                if who == Who::Agent {
                    pause(random, 20..500).await;
                    site.signal(who, Signal::TERM)?;
                }
                let status = site.down(who).await?;
                ensure!(status.success(), "the {who:?} ended after SIGTERM with {status}");
                pause(random, 0..2000).await;
                site.up(who).await?;
                Ok(Hits::new(1, amid))
            }
            Self::Drain => {
                pause(random, 100..1500).await;
                let amid = running();
                site.signal(Who::Agent, Signal::TERM)?;
                let status = site.down(Who::Agent).await?;
                ensure!(status.success(), "the agent ended after draining with {status}");
                site.up(Who::Agent).await?;
                Ok(Hits::new(1, amid))
            }
            Self::Freeze(who) => {
                pause(random, 100..1000).await;
                let amid = running();
                site.signal(who, Signal::STOP)?;
                while !site.frozen(who)? {
                    sleep(Duration::from_millis(1)).await;
                }
                pause(random, 1000..5000).await;
                site.signal(who, Signal::CONT)?;
                Ok(Hits::new(1, amid))
            }
            Self::Delay => {
                let by = Duration::from_millis(random.random_range(50..500));
                network(site, random, running, Net::Delay(by)).await
            }
            Self::Partition => network(site, random, running, Net::Drop).await,
            Self::HalfOpen => {
                let way = [Net::DropUp, Net::DropDown][random.random_range(0..2)];
                network(site, random, running, way).await
            }
            Self::Reset => network(site, random, running, Net::Reset).await,
        }
    }
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
    fn new(took: u64, amid: bool) -> Self {
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

/// Kills, and starts again after at most so many milliseconds.
async fn kill(
    site: &mut Site,
    all: &[Who],
    random: &mut StdRng,
    running: &dyn Fn() -> bool,
    most: u64,
) -> Result<Hits> {
    let (mut took, amid) = (0, running());
    for who in all {
        took += u64::from(site.kill(*who).await?);
    }
    pause(random, 0..most).await;
    for who in all {
        site.up(*who).await?;
    }
    Ok(Hits::new(took, amid))
}

async fn network(site: &Site, random: &mut StdRng, running: &dyn Fn() -> bool, fault: Net) -> Result<Hits> {
    let Some(proxy) = &site.proxy else {
        return Ok(Hits::default());
    };
    pause(random, 0..1000).await;
    let (before, amid) = (proxy.hits(), running());
    proxy.set(fault);
    pause(random, 1000..8000).await;
    // A connection with nothing to say feels nothing: it is waited for, so that the fault is one.
    let felt = timeout(TARGET, async {
        while proxy.hits() == before {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let _ = felt.await; // a fault nobody felt shows as none
    proxy.set(Net::None);
    Ok(Hits::new(proxy.hits() - before, amid))
}

/// Waits until a step tells this; when none does, the fault comes late, which is a fault all the same.
async fn heard(words: &mut Receiver<Word>, wanted: Word) {
    *words = words.resubscribe();
    let found = async {
        while let Ok(word) = words.recv().await {
            if word == wanted {
                return;
            }
        }
    };
    let _ = timeout(TARGET, found).await;
}

async fn pause(random: &mut StdRng, milliseconds: std::ops::Range<u64>) {
    sleep(Duration::from_millis(random.random_range(milliseconds))).await;
}
