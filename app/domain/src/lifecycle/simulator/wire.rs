//! Histories over a bad network: packets that are lost, doubled, late and out of order, cuts of one direction, agents that
//! sleep, servers that restart, clocks that are set. Sessions, leases and sweeps are those of dispatch and agent.
//!
//! **Invariant:** at every instant at most one attempt of a job has live processes (I2); when the faults end, so does
//! everything (I6). Only the server's rows and what a packet carried are believed by either side.

use super::agents::Agent;
use super::random::Random;
use super::{Counts, check};
use crate::lifecycle::*;
use crate::status::{AttemptStatus, Desired, StepKind};
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

    /// What an agent's own timer does; a machine that sleeps does it as soon as it wakes, and runs nothing meanwhile.
    fn fence_self(&mut self, a: usize) {
        let node = &mut self.nodes[a];
        if self.t < node.lease {
            return;
        }
        let now = Timestamp(self.t + self.skew);
        for held in node.agent.held.iter_mut().filter(|held| held.runs) {
            held.stop(now);
            self.counts.count("wire self-fenced");
        }
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

    fn agent_hears(&mut self, sent: Sent) {
        let t = self.t;
        let node = &mut self.nodes[sent.agent];
        if sent.connection != node.connection {
            return;
        }
        if !node.welcomed && !matches!(sent.packet, Packet::Welcome { .. }) {
            return;
        }
        node.heard = t;
        match sent.packet {
            Packet::Welcome { sent } => {
                node.welcomed = true;
                node.lease = node.lease.max(sent + LEASE);
            }
            Packet::Extend { sent } => node.lease = node.lease.max(sent + LEASE),
            // Who has no lease takes nothing on: it may have slept, and this may be of long ago.
            Packet::Assign { .. } if t >= node.lease => self.counts.count("wire assignment too late"),
            Packet::Assign { fence, job } => {
                let known = node.first.contains_key(&fence);
                if !known {
                    node.agent.take(fence, &job, Timestamp(0));
                    node.first.insert(fence, 1);
                }
            }
            Packet::Abort(fence) => node.agent.abort(fence),
            Packet::Forget(fence) => node.agent.forget(fence),
            Packet::Ack { fence, n } => {
                let first = node.first.entry(fence).or_insert(1);
                for held in node.agent.held.iter_mut().filter(|h| h.fence == fence) {
                    while *first <= n && !held.outbox.is_empty() {
                        held.outbox.remove(0);
                        *first += 1;
                    }
                }
                // Wholly told: it lets go.
                node.agent
                    .held
                    .retain(|h| h.fence != fence || h.runs || !h.outbox.is_empty());
            }
            Packet::Hello { .. } | Packet::Report { .. } | Packet::Beat { .. } => {}
        }
    }

    /// What an agent does by itself: run, say, beat, connect anew.
    fn act(&mut self, a: usize) {
        let (t, now) = (self.t, self.now());
        if t - self.nodes[a].heard > if self.nodes[a].welcomed { SILENCE } else { GREETING } {
            self.connections += 1;
            let node = &mut self.nodes[a];
            (node.connection, node.welcomed, node.heard) = (self.connections, false, t);
            let have = node.agent.held.iter().map(|h| h.fence).collect();
            let hello = Packet::Hello { have, sent: t };
            self.send(a, self.connections, true, hello);
        }
        let count = self.nodes[a].agent.held.len();
        for h in 0..count {
            if self.random.chance(50) {
                self.nodes[a].agent.held[h].advance(&mut self.random, now);
            }
        }
        let connection = self.nodes[a].connection;
        if !self.nodes[a].welcomed {
            return;
        }
        if t - self.nodes[a].beat >= BEAT {
            self.nodes[a].beat = t;
            self.send(a, connection, true, Packet::Beat { sent: t });
        }
        for h in 0..count {
            let held = &self.nodes[a].agent.held[h];
            let first = self.nodes[a].first.get(&held.fence).copied().unwrap_or(1);
            let reports: Vec<Packet> = held
                .outbox
                .iter()
                .zip(first..)
                .map(|(event, n)| Packet::Report {
                    fence: held.fence,
                    n,
                    event: event.clone(),
                })
                .collect();
            for report in reports {
                if self.random.chance(30) {
                    self.send(a, connection, true, report);
                }
            }
        }
    }

    fn server_hears(&mut self, sent: Sent) -> Done {
        let (a, t) = (sent.agent, self.t);
        if let Packet::Hello { have, sent: at } = sent.packet {
            let newer = self.sessions.get(&a).is_some_and(|s| s.connection >= sent.connection);
            return if newer || t - at >= GREETING {
                Ok(())
            } else {
                self.hello(a, sent.connection, &have, at)
            };
        }
        let Some(session) = self.sessions.get_mut(&a).filter(|s| s.connection == sent.connection) else {
            return Ok(());
        };
        session.heard = t;
        match sent.packet {
            Packet::Beat { sent: at } => {
                self.renew(a);
                self.send(a, sent.connection, false, Packet::Extend { sent: at });
                self.look_after(a, sent.connection);
            }
            Packet::Report { fence, n, event } => {
                let last = session.last.get(&fence).copied();
                // One was left out: what follows it is not taken, and comes again.
                if last.is_some_and(|last| n > last + 1) {
                    return Ok(());
                }
                session.last.insert(fence, last.unwrap_or(0).max(n));
                self.report(a, sent.connection, fence, n, event)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn report(&mut self, a: usize, connection: u64, fence: Fence, n: u64, event: AgentEvent) -> Done {
        let agent = self.nodes[a].agent.id;
        let event = Event::Agent { fence, agent, event };
        match self.try_apply(event)? {
            Ok(()) => {}
            Err(Refused::OutOfOrder(why)) => {
                self.counts.count("wire agent confused");
                let (attempt, epoch) = (fence.attempt, fence.epoch);
                self.apply(Event::AgentConfused { attempt, epoch, why })?;
                self.send(a, connection, false, Packet::Forget(fence));
            }
            Err(_) => {
                self.counts.count("wire late report");
                self.send(a, connection, false, Packet::Forget(fence));
            }
        }
        self.send(a, connection, false, Packet::Ack { fence, n });
        Ok(())
    }

    /// Heard: what it holds is its own for a whole lease from now.
    fn renew(&mut self, a: usize) {
        let (agent, until) = (self.nodes[a].agent.id, self.now().plus(LEASE));
        for job in self.task.jobs.iter_mut().filter(|j| j.attempt.holder() == Some(agent)) {
            job.attempt.lease_until = Some(until);
        }
    }

    /// What was handed out and never taken is sent again, now and then.
    fn look_after(&mut self, a: usize, connection: u64) {
        let agent = self.nodes[a].agent.id;
        let untaken = |j: &&JobState| j.attempt.holder() == Some(agent) && j.attempt.status == AttemptStatus::Assigned;
        let jobs: Vec<JobState> = self.task.jobs.iter().filter(untaken).cloned().collect();
        for job in jobs {
            if self.random.chance(50) {
                continue;
            }
            self.counts.count("wire assignment again");
            let (fence, job) = (job.attempt.fence(), Box::new(job));
            self.send(a, connection, false, Packet::Assign { fence, job });
        }
    }

    fn hello(&mut self, a: usize, connection: u64, have: &[Fence], at: i64) -> Done {
        let agent = self.nodes[a].agent.id;
        let (heard, last) = (self.t, BTreeMap::new());
        self.sessions.insert(
            a,
            Session {
                connection,
                heard,
                last,
            },
        );
        self.renew(a);
        self.send(a, connection, false, Packet::Welcome { sent: at });
        let rows: Vec<(Fence, Desired)> = (self.task.jobs.iter())
            .filter(|job| job.attempt.holder() == Some(agent))
            .map(|job| (job.attempt.fence(), job.desired))
            .collect();
        for fence in have.iter().filter(|f| !rows.iter().any(|(row, _)| row == *f)) {
            self.send(a, connection, false, Packet::Forget(*fence));
        }
        for (fence, desired) in rows {
            if !have.contains(&fence) {
                let (attempt, epoch) = (fence.attempt, fence.epoch);
                self.apply(Event::AgentForgot { attempt, epoch })?;
            } else if desired == Desired::Abort {
                self.send(a, connection, false, Packet::Abort(fence));
            }
        }
        Ok(())
    }

    /// The server's own loop: silence, the clock, what is due, what waits.
    fn serve(&mut self) -> Done {
        let t = self.t;
        self.sessions.retain(|_, s| t - s.heard <= SILENCE);
        let (then, wall) = std::mem::replace(&mut self.looked, (t, t + self.skew));
        let by_ms = (t + self.skew - wall) - (t - then);
        if by_ms.abs() > 5_000 {
            let heard: Vec<usize> = self.sessions.keys().copied().collect();
            let agents = heard.iter().map(|a| self.nodes[*a].agent.id).collect();
            self.apply(Event::ClockMoved { by_ms, heard: agents })?;
            for at in self.not_before.values_mut() {
                *at = at.plus(by_ms);
            }
            heard.into_iter().for_each(|a| self.renew(a));
            return Ok(());
        }
        let now = self.now();
        let held: Vec<AttemptState> = self.task.jobs.iter().map(|j| j.attempt.clone()).collect();
        for attempt in held.iter().filter(|a| a.holder().is_some()) {
            let id = attempt.id;
            if attempt.lease_until.is_some_and(|until| until <= now) {
                self.counts.count("wire lease expired");
                self.apply(Event::LeaseExpired {
                    attempt: id,
                    heard: None,
                })?;
            } else if attempt.deadline_at.is_some_and(|until| until.plus(35_000) <= now) {
                self.counts.count("wire deadline passed");
                self.apply(Event::DeadlinePassed { attempt: id })?;
            }
        }
        self.hand_out()
    }

    fn hand_out(&mut self) -> Done {
        let now = self.now();
        let ready: Vec<JobId> = (self.task.jobs.iter())
            .filter(|job| self.task.ready(job))
            .filter(|job| self.not_before.get(&job.id).is_none_or(|at| *at <= now))
            .map(|job| job.id)
            .collect();
        for job in ready {
            let there: Vec<usize> = self.sessions.keys().copied().collect();
            let Some(a) = self.random.pick(&there).copied() else {
                return Ok(());
            };
            self.epoch += 1;
            let timeout_ms = self.random.chance(30).then_some(LEASE / 2);
            self.apply(Event::Assigned {
                job,
                agent: self.nodes[a].agent.id,
                epoch: self.epoch,
                lease_until: now.plus(LEASE),
                timeout_ms,
            })?;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) -> Done {
        self.try_apply(event).map(drop)
    }

    fn try_apply(&mut self, event: Event) -> Result<Result<(), Refused>, String> {
        let (before, now) = (self.task.clone(), self.now());
        self.story.push(format!("{} {event:?}", self.t));
        let effects = match step(&mut self.task, event, now) {
            Ok(effects) => effects,
            Err(why) => {
                self.story.push(format!("  refused: {why}"));
                let same = before == self.task;
                return if same {
                    Ok(Err(why))
                } else {
                    Err("a refused event changed the state".into())
                };
            }
        };
        check::accepted(&before, &self.task, &effects)?;
        for effect in effects {
            self.carry_out(effect)?;
        }
        Ok(Ok(()))
    }

    fn carry_out(&mut self, effect: Effect) -> Done {
        let to = |agent: AgentId| usize::try_from(agent.0 - 1).unwrap_or(0);
        let tell = |me: &mut Self, agent: AgentId, packet: Packet| {
            // Who is not connected gets it at its next hello.
            if let Some(session) = me.sessions.get(&to(agent)) {
                let connection = session.connection;
                me.send(to(agent), connection, false, packet);
            }
        };
        match effect {
            Effect::Assign { agent, fence } => {
                let job = self.task.jobs.iter().find(|j| j.attempt.id == fence.attempt);
                let job = Box::new(job.ok_or("no such job")?.clone());
                tell(self, agent, Packet::Assign { fence, job });
            }
            Effect::Abort { agent, fence } => tell(self, agent, Packet::Abort(fence)),
            Effect::Forget { agent, fence } => tell(self, agent, Packet::Forget(fence)),
            Effect::NewAttempt { job, not_before, .. } => {
                self.counts.count("wire new attempt");
                let first = self.next_id + 1;
                let job = self.task.jobs.iter_mut().find(|j| j.id == job).ok_or("no such job")?;
                let steps: Vec<StepId> = (1..).map(|n| StepId(first + n)).take(job.attempt.steps.len()).collect();
                self.next_id = first + steps.len() as i64;
                job.attempt = job
                    .attempt
                    .following(AttemptId(first), &steps)
                    .map_err(|e| e.to_string())?;
                self.not_before.remove(&job.id);
                self.not_before.extend(not_before.map(|at| (job.id, at)));
            }
            Effect::SlotFreed { .. } | Effect::JobsReady { .. } | Effect::TaskEnded { .. } => {}
        }
        Ok(())
    }
}
