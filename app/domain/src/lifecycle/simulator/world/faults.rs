//! What agents do and what goes wrong on the way: late, double, disordered and forged messages, cuts, deaths, clocks.
//!
//! **Invariant:** each fault that happens is counted where it happens.

use super::{LEASE_MS, World};
use crate::lifecycle::*;
use crate::status::{AttemptStatus, Desired, ExecutorKind};
use crate::{AgentId, AttemptId, StepId, Timestamp};

impl World<'_> {
    pub(super) fn progress(&mut self) -> Result<(), String> {
        let (agent, held) = (self.random.below(self.agents.len()), self.random.next() as usize);
        let held_here = &mut self.agents[agent].held;
        let count = held_here.len().max(1);
        if let Some(held) = held_here.get_mut(held % count) {
            for _ in 0..1 + self.random.below(3) {
                held.advance(&mut self.random, self.now);
            }
        }
        Ok(())
    }

    /// One message of one agent arrives: mostly the next, sometimes a later one first. It is acknowledged when it is
    /// accepted, and then leaves the outbox; else it will come again.
    pub(super) fn deliver(&mut self) -> Result<(), String> {
        let waiting: Vec<(usize, usize)> = (0..self.agents.len())
            .filter(|a| self.agents[*a].connected)
            .flat_map(|a| (0..self.agents[a].held.len()).map(move |h| (a, h)))
            .filter(|(a, h)| !self.agents[*a].held[*h].outbox.is_empty())
            .collect();
        let Some((a, h)) = self.random.pick(&waiting).copied() else {
            return Ok(());
        };
        let (agent, fence) = (self.agents[a].id, self.agents[a].held[h].fence);
        let mut place = 0;
        let length = self.agents[a].held[h].outbox.len();
        // An end is final and needs what came before it; the rest is refused when it comes too soon.
        let last = self.agents[a].held[h].outbox.last();
        let movable = length - usize::from(matches!(last, Some(AgentEvent::Ended { .. })));
        if movable > 1 && self.random.chance(15) {
            place = 1 + self.random.below(movable - 1);
            self.counts.count("message out of order");
        }
        let event = Event::Agent {
            fence,
            agent,
            event: self.agents[a].held[h].outbox[place].clone(),
        };
        self.said.push(event.clone());
        let is_end = matches!(
            event,
            Event::Agent {
                event: AgentEvent::Ended { .. },
                ..
            }
        );
        let known = self.story.len();
        let accepted = self.apply(event.clone())?.is_some();
        if accepted && self.random.chance(20) {
            self.counts.count("message doubled");
            let before = self.task.clone();
            let again = self.apply(event)?;
            let replaced = !self.task.jobs.iter().any(|job| job.attempt.id == fence.attempt);
            if again.is_none() != replaced || before != self.task {
                return Err("a doubled message was not harmless".into());
            }
        }
        let fenced_off = self.story[known..].iter().any(|line| {
            ["refused Stale", "refused NotYours", "refused Ended"]
                .iter()
                .any(|word| line.ends_with(word))
        });
        if fenced_off || accepted && is_end {
            self.agents[a].forget(fence);
        } else if accepted
            && place == 0
            && let Some(held) = self.agents[a].held.iter_mut().find(|held| held.fence == fence)
        {
            held.outbox.remove(0);
        }
        Ok(())
    }

    pub(super) fn pass_time(&mut self) -> Result<(), String> {
        let lease = self.task.jobs.iter().filter(|job| job.attempt.holder().is_some());
        let lease = lease.filter_map(|job| job.attempt.lease_until).min();
        self.now = match (self.random.below(10), lease) {
            // Just past the end of a lease is where two might run at once.
            (0, Some(until)) if until > self.now => until.plus(self.random.below(5_000) as i64),
            (1, _) => self.now.plus(self.random.below(2 * LEASE_MS as usize) as i64),
            _ => self.now.plus(self.random.below(5_000) as i64),
        };
        // A lease that ends unheard: the agent stops what it runs, as soon as its own clock says so.
        for agent in &mut self.agents {
            for held in agent
                .held
                .iter_mut()
                .filter(|held| held.lease_until.plus(agent.lag_ms) <= self.now && held.runs)
            {
                held.runs = false;
                self.counts.count("self-fenced");
            }
        }
        Ok(())
    }

    pub(super) fn heartbeat(&mut self) -> Result<(), String> {
        let until = self.now.plus(LEASE_MS);
        for a in 0..self.agents.len() {
            let (agent, fences) = (
                &self.agents[a],
                self.agents[a].held.iter().map(|h| h.fence).collect::<Vec<_>>(),
            );
            if !agent.connected {
                continue;
            }
            for fence in fences {
                let event = Event::LeaseExtended {
                    fence,
                    agent: self.agents[a].id,
                    lease_until: until,
                };
                let heard = self.random.chance(80);
                match self.apply(event)? {
                    Some(_) if heard => {
                        for held in self.agents[a].held.iter_mut().filter(|h| h.fence == fence && h.runs) {
                            held.lease_until = until;
                        }
                    }
                    Some(_) => {}
                    None => self.agents[a].forget(fence),
                }
            }
        }
        Ok(())
    }

    /// An agent is cut off, or comes back and is asked what it holds.
    pub(super) fn connection(&mut self) -> Result<(), String> {
        let a = self.random.below(self.agents.len());
        if self.agents[a].connected {
            self.agents[a].connected = false;
            self.counts.count("agent cut off");
            return Ok(());
        }
        (self.agents[a].connected, self.agents[a].dead) = (true, false);
        let agent = self.agents[a].id;
        let owned: Vec<(Fence, bool)> = (self.task.jobs.iter())
            .filter(|job| job.attempt.holder() == Some(agent))
            .map(|job| (job.attempt.fence(), job.desired == Desired::Abort))
            .collect();
        for (fence, aborting) in owned {
            if self.agents[a].held.iter().any(|held| held.fence == fence) {
                if aborting {
                    self.agents[a].abort(fence);
                }
                continue;
            }
            let event = Event::AgentForgot {
                attempt: fence.attempt,
                epoch: fence.epoch,
            };
            match self.apply(event)? {
                Some(effects) if matches!(effects[..], [Effect::Assign { .. }]) => {
                    self.counts.count("assignment sent again");
                }
                Some(_) => self.counts.count("agent forgot"),
                None => return Err("a forgotten attempt was not ended".into()),
            }
        }
        Ok(())
    }

    pub(super) fn die(&mut self) -> Result<(), String> {
        let a = self.random.below(self.agents.len());
        let agent = &mut self.agents[a];
        (agent.dead, agent.connected) = (true, false);
        agent.held.clear();
        self.counts.count("agent died");
        Ok(())
    }

    /// Something said long ago arrives once more.
    pub(super) fn replay(&mut self) -> Result<(), String> {
        let Some(event) = self.random.pick(&self.said).cloned() else {
            return Ok(());
        };
        self.counts.count("message late");
        self.apply(event)?;
        Ok(())
    }

    /// A message with one thing wrong: another agent, another epoch, another attempt, any step, any end.
    pub(super) fn forge(&mut self) -> Result<(), String> {
        let Some(job) = self.random.pick(&self.task.jobs).cloned() else {
            return Ok(());
        };
        self.counts.count("forged message");
        let mut fence = job.attempt.fence();
        let mut agent = job.attempt.agent.unwrap_or(AgentId(1));
        let mut rightful = job.attempt.agent.is_some();
        match self.random.below(4) {
            0 => agent = AgentId(agent.0 % 3 + 1),
            1 => fence.epoch -= 1,
            2 => fence.attempt = AttemptId(self.random.below(200) as i64),
            _ if rightful => {
                // The rightful holder talks nonsense: of a step of another job, or of the past.
                let event = AgentEvent::StepStarted {
                    step: StepId(0),
                    from: 0,
                    at: Timestamp(0),
                };
                self.apply(Event::Agent { fence, agent, event })?;
                let early = Event::LeaseExpired {
                    attempt: fence.attempt,
                    heard: None,
                };
                let due = job.attempt.lease_until.is_some_and(|until| until <= self.now);
                if job.attempt.status != AttemptStatus::Ended && !due && self.apply(early)?.is_some() {
                    return Err("a lease ended before its time".into());
                }
                return Ok(());
            }
            _ => {}
        }
        rightful &= job.attempt.fence() == fence && job.attempt.agent == Some(agent);
        let at = Timestamp(self.random.next() as i64);
        let event = match self.random.below(3) {
            0 => AgentEvent::Ended {
                aborted: false,
                error: None,
                at,
            },
            1 => AgentEvent::StepEnded {
                step: job.attempt.steps[0].id,
                exit: Exit::Exited(0),
                until: 0,
                at,
            },
            _ => AgentEvent::Preparing {
                executor: ExecutorKind::Process,
            },
        };
        let before = self.task.clone();
        let done = self.apply(Event::Agent { fence, agent, event })?;
        if !rightful && (done.is_some() || before != self.task) {
            return Err("a forged message was accepted".into());
        }
        Ok(())
    }
}
