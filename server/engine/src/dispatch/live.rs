//! Who is connected, and who holds which attempt: a memory of rows, so that no frame of output needs a read.
//!
//! **Invariant:** an agent has one connection; a newer one ends the older.

use domain::agent::Load;
use domain::lifecycle::Fence;
use domain::{AgentId, AttemptId, StepId};
use protocol::ToAgent;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// One connection's own mark: tells it apart from its successor, and when to go.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub serial: u64,
    pub replaced: CancellationToken,
}

struct Connected {
    peer: Peer,
    out: mpsc::UnboundedSender<ToAgent>,
    load: Option<Load>,
}

#[derive(Default)]
struct Tables {
    serial: u64,
    peers: HashMap<AgentId, Connected>,
    attempts: HashMap<AttemptId, Held>,
}

struct Held {
    agent: AgentId,
    epoch: i64,
    /// The step that runs and where its output begins.
    step: Option<(StepId, u64)>,
    /// Whether its agent ever gave a sign of it.
    taken: bool,
    /// When there was a sign of it last, or it was sent, by the clock that nobody sets.
    seen: i64,
}

#[derive(Default)]
pub(super) struct Live {
    tables: Mutex<Tables>,
    /// How often a load was told.
    loads: watch::Sender<i64>,
}

impl Live {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every change below is one insert or remove: a panic elsewhere leaves nothing half done.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection of an agent; the old one is told to go.
    pub fn join(&self, agent: AgentId) -> (Peer, mpsc::UnboundedReceiver<ToAgent>) {
        let (out, rx) = mpsc::unbounded_channel();
        let mut t = self.tables();
        t.serial += 1;
        let peer = Peer {
            serial: t.serial,
            replaced: CancellationToken::new(),
        };
        if let Some(old) = t.peers.insert(
            agent,
            Connected {
                peer: peer.clone(),
                out,
                load: None,
            },
        ) {
            old.peer.replaced.cancel();
        }
        (peer, rx)
    }

    /// The connection is over; answers whether it was still the agent's present one.
    pub fn leave(&self, agent: AgentId, peer: &Peer) -> bool {
        let mut t = self.tables();
        let present = t.peers.get(&agent).is_some_and(|c| c.peer.serial == peer.serial);
        if present {
            t.peers.remove(&agent);
        }
        present
    }

    /// Whether an agent is connected here.
    pub fn connected(&self, agent: AgentId) -> bool {
        self.tables().peers.contains_key(&agent)
    }

    /// Sends to an agent if it is connected; who is not gets it at its next hello.
    pub fn tell(&self, agent: AgentId, message: ToAgent) {
        if let Some(c) = self.tables().peers.get(&agent) {
            let _ = c.out.send(message);
        }
    }

    /// The agent is gone for good: its last message is sent, then its connection ends.
    pub fn dismiss(&self, agent: AgentId, last: ToAgent) {
        if let Some(c) = self.tables().peers.remove(&agent) {
            let _ = c.out.send(last);
        }
    }

    /// How busy a connected agent's machine is.
    pub fn set_load(&self, agent: AgentId, load: Load) {
        if let Some(c) = self.tables().peers.get_mut(&agent) {
            c.load = Some(load);
        }
        self.loads.send_modify(|n| *n += 1);
    }

    /// Follows how often a load was told.
    pub fn follow_loads(&self) -> watch::Receiver<i64> {
        self.loads.subscribe()
    }

    /// How busy each connected agent's machine is.
    pub fn loads(&self) -> HashMap<AgentId, Load> {
        let t = self.tables();
        t.peers.iter().filter_map(|(id, c)| Some((*id, c.load?))).collect()
    }

    /// An agent holds an attempt from now on.
    pub fn begin(&self, fence: Fence, agent: AgentId, elapsed: i64) {
        self.tables().attempts.insert(
            fence.attempt,
            Held {
                agent,
                epoch: fence.epoch,
                step: None,
                taken: false,
                seen: elapsed,
            },
        );
    }

    /// There is a sign of an attempt: its agent has it.
    pub fn sign(&self, attempt: AttemptId, elapsed: i64) {
        if let Some(h) = self.tables().attempts.get_mut(&attempt) {
            (h.taken, h.seen) = (true, elapsed);
        }
    }

    /// A heartbeat of an agent that says it runs `running`: what else it should hold, whether it ever gave a sign of it, and
    /// how many milliseconds ago.
    pub fn unseen(&self, agent: AgentId, running: &[protocol::Fence], elapsed: i64) -> Vec<(Fence, bool, i64)> {
        let mut unseen = Vec::new();
        for (attempt, h) in self.tables().attempts.iter_mut().filter(|(_, h)| h.agent == agent) {
            if running.iter().any(|f| f.attempt == *attempt && f.epoch == h.epoch) {
                (h.taken, h.seen) = (true, elapsed);
                continue;
            }
            let fence = Fence {
                attempt: *attempt,
                epoch: h.epoch,
            };
            unseen.push((fence, h.taken, elapsed - h.seen));
        }
        unseen
    }

    /// Nobody holds it any more.
    pub fn end(&self, attempt: AttemptId) {
        self.tables().attempts.remove(&attempt);
    }

    /// Who holds an attempt, and by which fence.
    pub fn holder(&self, attempt: AttemptId) -> Option<(AgentId, Fence)> {
        self.tables().attempts.get(&attempt).map(|h| {
            (
                h.agent,
                Fence {
                    attempt,
                    epoch: h.epoch,
                },
            )
        })
    }

    /// Who is connected here.
    pub fn agents(&self) -> Vec<AgentId> {
        self.tables().peers.keys().copied().collect()
    }

    /// What an agent holds.
    pub fn held_by(&self, agent: AgentId) -> Vec<Fence> {
        let tables = self.tables();
        let mine = tables.attempts.iter().filter(|(_, held)| held.agent == agent);
        mine.map(|(attempt, held)| Fence {
            attempt: *attempt,
            epoch: held.epoch,
        })
        .collect()
    }

    /// A step of an attempt has begun at this byte.
    pub fn step_started(&self, attempt: AttemptId, step: StepId, from: u64) {
        if let Some(h) = self.tables().attempts.get_mut(&attempt) {
            h.step = Some((step, from));
        }
    }

    /// Where the running step's output begins, if that was heard since this server started.
    pub fn step_from(&self, attempt: AttemptId, step: StepId) -> Option<u64> {
        self.tables()
            .attempts
            .get(&attempt)?
            .step
            .filter(|(s, _)| *s == step)
            .map(|(_, from)| from)
    }
}
