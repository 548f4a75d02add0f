//! Dispatch: speaks with agents, tells them what effects ask, and writes what they report.
//!
//! **Invariant:** who an agent is comes from its connection alone; a message about an attempt is taken only under the
//! attempt's present fence; an acknowledgement leaves only after the commit.

mod assignment;
mod bounds;
mod care;
mod clock_moved;
mod foreign;
mod hello;
mod live;
mod measure;
mod output;
mod register;
mod report;
mod session;
mod sweep;
mod told;
mod translate;

pub use hello::credential_hash;
pub use session::Frame;

use crate::clock::{SharedClock, Steady};
use crate::console::Consoles;
use crate::outgoing::address::Range;
use crate::queue::Outward;
use crate::remotes::Remotes;
use crate::scheduler::{Terms, place_waiting};
use crate::space::Space;
use crate::store::Store;
use domain::agent::Load;
use domain::lifecycle::Effect;
use domain::{AgentId, AttemptId};
use futures::FutureExt;
use live::{Live, Peer};
use protocol::{RefusalCode, ToAgent};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Times and addresses dispatch goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of this server, for labels of containers.
    pub server: String,
    /// Where people reach this server, without a slash at the end.
    pub public_url: String,
    /// Whether local sources are allowed.
    pub allow_local: bool,
    /// Private addresses that outgoing requests may go to all the same.
    pub allow_addresses: Vec<Range>,
    /// Milliseconds between heartbeats.
    pub heartbeat_ms: i64,
    /// Milliseconds without a word after which an agent is unreachable.
    pub unreachable_ms: i64,
    /// Milliseconds a lease lasts.
    pub lease_ms: i64,
    /// Milliseconds between TERM and KILL.
    pub grace_ms: i64,
    /// Bytes kept of the output of one attempt; the step goes on beyond them.
    pub console_limit: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: "caracal".into(),
            public_url: "http://127.0.0.1:7420".into(),
            allow_local: false,
            allow_addresses: Vec::new(),
            heartbeat_ms: 5_000,
            unreachable_ms: 15_000,
            lease_ms: 600_000,
            grace_ms: 5_000,
            console_limit: 1 << 30,
        }
    }
}

/// Speaks with agents. Cheap to clone.
#[derive(Clone)]
pub struct Dispatch {
    store: Store,
    clock: SharedClock,
    consoles: Consoles,
    out: Outward,
    settings: Arc<Settings>,
    live: Arc<Live>,
    steady: Arc<Steady>,
    space: Arc<Space>,
    remotes: Remotes,
}

impl Dispatch {
    /// A dispatch over a store; start its loops with [`Dispatch::run`].
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<Steady>,
        consoles: Consoles,
        out: Outward,
        settings: Settings,
        space: Arc<Space>,
        remotes: Remotes,
    ) -> Self {
        Self {
            store,
            clock: clock.clone(),
            consoles,
            out,
            settings: Arc::new(settings),
            live: Arc::default(),
            steady: clock,
            space,
            remotes,
        }
    }

    /// Runs until told to stop: effects out, durable offsets out, overdue leases and deadlines in.
    pub async fn run(
        self,
        mut effects: mpsc::UnboundedReceiver<Effect>,
        mut durable: mpsc::UnboundedReceiver<(AttemptId, u64)>,
        stop: CancellationToken,
    ) {
        let sweeper = tokio::spawn(self.clone().sweep(stop.clone()));
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                n = effects.recv_many(&mut batch, 256) => {
                    if n == 0 { break }
                    self.act(std::mem::take(&mut batch)).await;
                }
                Some((attempt, offset)) = durable.recv() => self.tell_durable(attempt, offset),
            }
        }
        let _ = sweeper.await;
    }

    /// Hands out what waits, in a write of its own, and tells the agents.
    pub async fn place(&self) {
        let (terms, clock) = (self.terms(), self.clock.clone());
        let placed = self.store.write(move |tx| {
            let (terms, now) = (terms.clone(), clock.now());
            async move { place_waiting(tx, &terms, now).await }.boxed()
        });
        match placed.await {
            Ok(effects) => self.out.send(effects),
            Err(e) => tracing::error!(error = %e, "Cannot place waiting jobs: {e}"),
        }
    }

    fn terms(&self) -> Terms {
        Terms {
            lease_ms: self.settings.lease_ms,
            space: Some(self.space.clone()),
        }
    }

    /// How busy each connected agent's machine is, by its last word.
    #[must_use]
    pub fn loads(&self) -> HashMap<AgentId, Load> {
        self.live.loads()
    }

    /// Follows how often a load was told.
    #[must_use]
    pub fn follow_loads(&self) -> watch::Receiver<i64> {
        self.live.follow_loads()
    }

    /// Acts on effects at once, where what follows must come after them.
    pub async fn let_go(&self, effects: Vec<Effect>) {
        self.act(effects).await;
    }

    /// An agent was removed: its connection ends, and it is told why.
    pub fn dismiss(&self, agent: AgentId) {
        self.live.dismiss(
            agent,
            ToAgent::Refused {
                reason: "This agent was removed by an admin.".into(),
                code: RefusalCode::Removed,
            },
        );
    }

    async fn act(&self, effects: Vec<Effect>) {
        let mut place = false;
        for effect in effects {
            match effect {
                Effect::Assign { agent, fence } => self.assign(agent, fence).await,
                Effect::Abort { agent, fence } => self.tell(
                    agent,
                    ToAgent::Abort {
                        fence: translate::fence(fence),
                    },
                ),
                Effect::Forget { agent, fence } => {
                    self.live.end(fence.attempt);
                    self.tell(
                        agent,
                        ToAgent::Forget {
                            fence: translate::fence(fence),
                        },
                    );
                    // No more output will be taken of it: whoever follows its console is told.
                    self.consoles.ended(fence.attempt);
                }
                Effect::SlotFreed { .. } | Effect::JobsReady { .. } => place = true,
                Effect::NewAttempt { .. } | Effect::TaskEnded { .. } => {}
            }
        }
        if place {
            self.place().await;
        }
    }

    /// Reads the whole assignment and sends it. When it cannot be read, the lease ends it; when the agent is not
    /// connected, its next hello gets it.
    async fn assign(&self, agent: AgentId, fence: domain::lifecycle::Fence) {
        match assignment::read(&self.store, &self.remotes, &self.settings, fence).await {
            Ok(Some(given)) => {
                failpoint::reached("server.assigned");
                self.live.begin(fence, agent, self.clock.elapsed());
                for message in given.messages(fence) {
                    self.tell(agent, message);
                }
            }
            Ok(None) => {}
            Err(e) => {
                tracing::error!(attempt.id = %fence.attempt, error = %e, "Cannot read attempt {}: {e}", fence.attempt)
            }
        }
    }

    fn tell(&self, agent: AgentId, message: ToAgent) {
        self.live.tell(agent, message);
    }

    fn tell_durable(&self, attempt: AttemptId, offset: u64) {
        if let Some((agent, fence)) = self.live.holder(attempt) {
            self.tell(
                agent,
                ToAgent::Durable {
                    fence: translate::fence(fence),
                    offset,
                },
            );
        }
    }

    fn join(&self, agent: AgentId) -> (Peer, mpsc::UnboundedReceiver<ToAgent>) {
        self.live.join(agent)
    }
}
