//! The server's side: sessions, reports, sweeps, placement; as dispatch does them.
//!
//! **Invariant:** every change of the task passes through `try_apply`, which checks the state after it.

use super::super::check;
use super::{Done, GREETING, LEASE, Packet, SILENCE, Sent, Session, Wire};
use crate::lifecycle::*;
use crate::status::{AttemptStatus, Desired};
use crate::{AgentId, AttemptId, JobId, StepId};
use std::collections::BTreeMap;

impl Wire<'_> {
    pub(super) fn server_hears(&mut self, sent: Sent) -> Done {
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

    pub(super) fn report(&mut self, a: usize, connection: u64, fence: Fence, n: u64, event: AgentEvent) -> Done {
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
    pub(super) fn renew(&mut self, a: usize) {
        let (agent, until) = (self.nodes[a].agent.id, self.now().plus(LEASE));
        for job in self.task.jobs.iter_mut().filter(|j| j.attempt.holder() == Some(agent)) {
            job.attempt.lease_until = Some(until);
        }
    }

    /// What was handed out and never taken is sent again, now and then.
    pub(super) fn look_after(&mut self, a: usize, connection: u64) {
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

    pub(super) fn hello(&mut self, a: usize, connection: u64, have: &[Fence], at: i64) -> Done {
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
    pub(super) fn serve(&mut self) -> Done {
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

    pub(super) fn hand_out(&mut self) -> Done {
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

    pub(super) fn apply(&mut self, event: Event) -> Done {
        self.try_apply(event).map(drop)
    }

    pub(super) fn try_apply(&mut self, event: Event) -> Result<Result<(), Refused>, String> {
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

    pub(super) fn carry_out(&mut self, effect: Effect) -> Done {
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
