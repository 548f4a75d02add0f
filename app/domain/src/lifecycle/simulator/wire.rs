//! Histories over a bad network: packets that are lost, doubled, late and out of order, cuts of one direction, agents that
//! sleep, servers that restart, clocks that are set. Sessions, leases and sweeps are those of dispatch and agent.
//!
//! **Invariant:** at every instant at most one attempt of a job has live processes (I2); when the faults end, so does
//! everything (I6). Only the server's rows and what a packet carried are believed by either side.

mod agent;
mod server;

use super::Counts;
use super::agents::Agent;
use super::random::Random;
use crate::lifecycle::*;
use crate::status::StepKind;
use crate::{AgentId, AttemptId, JobId, StepId, TaskId, Timestamp};
use std::collections::BTreeMap;

const LEASE: i64 = 600_000;
const BEAT: i64 = 5_000;
const SILENCE: i64 = 15_000;
/// An agent that is not welcomed within this time gives the connection up; the server takes no hello that is older.
const GREETING: i64 = 10_000;

/// What goes over the wire, within one connection.
#[derive(Debug, Clone)]
enum Packet {
    Hello { have: Vec<Fence>, sent: i64 },
    Report { fence: Fence, n: u64, event: AgentEvent },
    Beat { sent: i64 },
    Welcome { sent: i64 },
    Extend { sent: i64 },
    Assign { fence: Fence, job: Box<JobState> },
    Abort(Fence),
    Forget(Fence),
    Ack { fence: Fence, n: u64 },
}

struct Sent {
    due: i64,
    agent: usize,
    connection: u64,
    up: bool,
    packet: Packet,
}

/// An agent and its side of the connection.
struct Node {
    agent: Agent,
    connection: u64,
    welcomed: bool,
    heard: i64,
    beat: i64,
    /// Stops what it runs at this instant, by a clock that nobody sets.
    lease: i64,
    asleep: i64,
    /// The number of the first report in each outbox.
    first: BTreeMap<Fence, u64>,
    cut_up: bool,
    cut_down: bool,
}

/// The server's side of one agent's connection.
#[derive(Default, Clone)]
struct Session {
    connection: u64,
    heard: i64,
    last: BTreeMap<Fence, u64>,
}

pub(super) struct Wire<'a> {
    random: Random,
    counts: &'a mut Counts,
    /// True time; the server's clock is ahead by `skew`.
    t: i64,
    skew: i64,
    looked: (i64, i64),
    task: TaskState,
    not_before: BTreeMap<JobId, Timestamp>,
    nodes: Vec<Node>,
    sessions: BTreeMap<usize, Session>,
    packets: Vec<Sent>,
    connections: u64,
    epoch: i64,
    next_id: i64,
    story: Vec<String>,
    bad: bool,
}

type Done = Result<(), String>;

impl<'a> Wire<'a> {
    pub(super) fn new(seed: u64, counts: &'a mut Counts) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let mut next_id = 100;
        let mut id = || {
            next_id += 1;
            next_id
        };
        let jobs = (1..=1 + random.below(3) as i64).map(|n| {
            let needs = (1..n).filter(|_| random.chance(30)).map(JobId).collect();
            let kinds = [StepKind::Setup, StepKind::Step, StepKind::Step];
            let steps = kinds
                .iter()
                .zip(0..)
                .map(|(kind, ordinal)| StepState::pending(StepId(id()), *kind, ordinal, format!("s{ordinal}"), false));
            let steps = steps.collect();
            let on = vec![RetryOn::AgentLost, RetryOn::Failed, RetryOn::TimedOut];
            let limit = random.below(4) as u32;
            let attempt = AttemptState::waiting(AttemptId(id()), 1, steps);
            JobState::waiting(JobId(n), format!("job{n}"), needs, Retry { limit, on }, attempt)
        });
        let task = TaskState::waiting(TaskId(1), jobs.collect());
        let nodes = (1..=3).map(|n| Node {
            agent: Agent {
                id: AgentId(n),
                connected: false,
                dead: false,
                lag_ms: 0,
                held: Vec::new(),
            },
            connection: 0,
            welcomed: false,
            heard: 0,
            beat: 0,
            lease: 0,
            asleep: 0,
            first: BTreeMap::new(),
            cut_up: false,
            cut_down: false,
        });
        let nodes = nodes.collect();
        Self {
            random,
            counts,
            t: 1_000_000,
            skew: 0,
            looked: (1_000_000, 1_000_000),
            task,
            not_before: BTreeMap::new(),
            nodes,
            sessions: BTreeMap::new(),
            packets: Vec::new(),
            connections: 0,
            epoch: 0,
            next_id,
            story: Vec::new(),
            bad: true,
        }
    }

    pub(super) fn story(&self) -> String {
        self.story[self.story.len().saturating_sub(40)..].join("\n")
    }

    /// Lives through faults, then without: it must come to its end, and nothing of it may run on.
    pub(super) fn live(&mut self) -> Done {
        let faulty = 100 + self.random.below(300);
        for turn in 0..faulty + 4_000 {
            self.bad = turn < faulty;
            if self.bad {
                self.fault()?;
            } else {
                for node in &mut self.nodes {
                    (node.cut_up, node.cut_down, node.asleep) = (false, false, 0);
                }
            }
            self.tick()?;
            let quiet = self.nodes.iter().all(|n| n.agent.held.is_empty());
            if !self.bad && self.task.status.ended() && quiet {
                self.counts.count(format!("wire task {}", self.task.status));
                return Ok(());
            }
        }
        let held: Vec<Fence> = self
            .nodes
            .iter()
            .flat_map(|n| n.agent.held.iter().map(|h| h.fence))
            .collect();
        Err(format!("it never came to rest: {held:?} {:#?}", self.task))
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.t + self.skew)
    }

    fn fault(&mut self) -> Done {
        let a = self.random.below(self.nodes.len());
        match self.random.below(160) {
            0..4 => {
                let (up, down) = (self.random.chance(60), self.random.chance(60));
                let node = &mut self.nodes[a];
                (node.cut_up, node.cut_down) = (up, down);
                if up != down {
                    self.counts.count("wire one way cut");
                }
            }
            4..8 => {
                let node = &mut self.nodes[a];
                (node.cut_up, node.cut_down) = (false, false);
            }
            8 => {
                self.nodes[a].asleep = self.t + self.random.below(2 * LEASE as usize) as i64;
                self.counts.count("wire agent asleep");
            }
            9 => {
                let by = self.random.below(2 * 86_400_000) as i64 - 86_400_000;
                self.skew += by;
                self.counts.count("wire clock set");
            }
            10 => {
                // The server restarts: connections, packets and what it remembered are gone; rows are not.
                self.sessions.clear();
                self.packets.clear();
                self.looked = (self.t, self.t + self.skew);
                self.counts.count("wire server restart");
            }
            11 => {
                // The agent is killed with all it runs, and comes back with nothing.
                let node = &mut self.nodes[a];
                node.agent.held.clear();
                node.first.clear();
                (node.connection, node.welcomed, node.lease) = (0, false, 0);
                self.counts.count("wire agent killed");
            }
            12 => self.t += self.random.below(2 * LEASE as usize) as i64,
            13 if self.random.chance(20) => {
                self.apply(Event::AbortAsked { by: "anna".into() })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn tick(&mut self) -> Done {
        self.t += 1 + self.random.below(if self.bad { 4_000 } else { 2_000 }) as i64;
        for a in 0..self.nodes.len() {
            self.fence_self(a);
        }
        self.only_one()?;
        self.deliver()?;
        for a in 0..self.nodes.len() {
            if self.t >= self.nodes[a].asleep {
                self.act(a);
            }
        }
        self.serve()?;
        self.only_one()
    }

    fn only_one(&self) -> Done {
        for job in &self.task.jobs {
            let live = self
                .nodes
                .iter()
                .flat_map(|n| &n.agent.held)
                .filter(|h| h.job == job.id && h.runs);
            let live: Vec<Fence> = live.map(|h| h.fence).collect();
            if live.len() > 1 {
                return Err(format!("job {} runs twice: {live:?}", job.key));
            }
        }
        Ok(())
    }

    fn send(&mut self, agent: usize, connection: u64, up: bool, packet: Packet) {
        let node = &self.nodes[agent];
        if self.bad && (if up { node.cut_up } else { node.cut_down } || self.random.chance(5)) {
            self.counts.count("wire packet lost");
            return;
        }
        let copies = if self.bad && self.random.chance(5) { 2 } else { 1 };
        for copy in 0..copies {
            let slow = if self.bad { 9_000 } else { 200 };
            let due = self.t + self.random.below(slow) as i64;
            if copy > 0 {
                self.counts.count("wire packet doubled");
            }
            let packet = packet.clone();
            self.packets.push(Sent {
                due,
                agent,
                connection,
                up,
                packet,
            });
        }
    }

    fn deliver(&mut self) -> Done {
        loop {
            let due: Vec<usize> = (0..self.packets.len())
                .filter(|i| self.packets[*i].due <= self.t)
                .collect();
            let Some(i) = self.random.pick(&due).copied() else {
                return Ok(());
            };
            if due.iter().any(|j| self.packets[*j].due < self.packets[i].due) {
                self.counts.count("wire packet overtaken");
            }
            let sent = self.packets.swap_remove(i);
            let awake = self.t >= self.nodes[sent.agent].asleep;
            if sent.up {
                self.server_hears(sent)?;
            } else if awake {
                self.agent_hears(sent);
            } else {
                // It waits in the sleeper's socket.
                let due = self.nodes[sent.agent].asleep;
                self.packets.push(Sent { due, ..sent });
            }
        }
    }
}
