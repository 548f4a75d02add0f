//! One history: a task, its agents, and what goes wrong between them.
//!
//! **Invariant:** whatever happens passes through `apply`, which checks the state after it.

mod faults;

use super::agents::Agent;
use super::random::Random;
use super::{Counts, check};
use crate::lifecycle::*;
use crate::status::{Desired, JobStatus, StepKind};
use crate::{AgentId, AttemptId, JobId, StepId, TaskId, Timestamp};

const LEASE_MS: i64 = 600_000;

pub(super) struct World<'a> {
    random: Random,
    counts: &'a mut Counts,
    now: Timestamp,
    task: TaskState,
    agents: Vec<Agent>,
    /// Not handed out before, by job.
    not_before: Vec<(JobId, Timestamp)>,
    /// Everything an agent ever said: any of it may come again.
    said: Vec<Event>,
    story: Vec<String>,
    epoch: i64,
    next_id: i64,
}

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, counts: &'a mut Counts) -> Self {
        let mut random = Random::new(seed);
        let mut next_id = 100;
        let mut id = || {
            next_id += 1;
            next_id
        };
        let jobs: Vec<JobState> = (1..=1 + random.below(4) as i64)
            .map(|n| {
                let needs = (1..n).filter(|_| random.chance(40)).map(JobId).collect();
                let steps = (0..1 + random.below(3) as i64).map(|ordinal| {
                    let kind = if ordinal == 0 { StepKind::Setup } else { StepKind::Step };
                    StepState::pending(
                        StepId(id()),
                        kind,
                        ordinal,
                        format!("s{ordinal}"),
                        random.chance(20) && ordinal > 0,
                    )
                });
                let steps = steps.collect();
                let retry = Retry {
                    limit: random.below(3) as u32,
                    on: [RetryOn::AgentLost, RetryOn::Exit(1), RetryOn::TimedOut, RetryOn::Failed]
                        .into_iter()
                        .filter(|_| random.chance(40))
                        .collect(),
                };
                let attempt = AttemptState::waiting(AttemptId(id()), 1, steps);
                JobState::waiting(JobId(n), format!("job{n}"), needs, retry, attempt)
            })
            .collect();
        let agents = (1..=3).map(|n| Agent {
            id: AgentId(n),
            connected: true,
            dead: false,
            lag_ms: random.below(RESTART_MARGIN_MS as usize) as i64,
            held: Vec::new(),
        });
        let agents = agents.collect();
        Self {
            random,
            counts,
            now: Timestamp(1_000_000_000),
            task: TaskState::waiting(TaskId(1), jobs),
            agents,
            not_before: Vec::new(),
            said: Vec::new(),
            story: Vec::new(),
            epoch: 0,
            next_id,
        }
    }

    /// What happened last, for a failure.
    pub(super) fn story(&self) -> String {
        self.story[self.story.len().saturating_sub(25)..].join("\n")
    }

    /// Lives through a history of random events, then lets everything die: it must still come to its end.
    pub(super) fn live(&mut self) -> Result<(), String> {
        for _ in 0..40 + self.random.below(200) {
            self.happen()?;
        }
        if self.random.chance(50) {
            self.abort()?;
        }
        for agent in &mut self.agents {
            (agent.dead, agent.connected) = (true, false);
            agent.held.clear();
        }
        for _ in 0..40 {
            if self.task.status.ended() {
                break;
            }
            self.now = self.now.plus(LEASE_MS + RESTART_MARGIN_MS);
            self.timers()?;
            // Agents come, take a job and die.
            self.hand_out(true)?;
        }
        if !self.task.status.ended() {
            return Err(format!("it never ended: {:#?}", self.task));
        }
        self.counts.count(format!("task {}", self.task.status));
        for job in &self.task.jobs {
            self.counts.count(format!("job {}", job.status));
        }
        Ok(())
    }

    fn happen(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..8 => self.hand_out(false),
            8..45 => self.progress(),
            45..79 => self.deliver(),
            79..83 => self.pass_time(),
            83..86 => self.heartbeat(),
            86..89 => self.connection(),
            89 => self.die(),
            90..92 => self.replay(),
            92..96 => self.forge(),
            96 if self.random.chance(20) => self.abort(),
            97 if self.random.chance(10) => {
                let done = self.apply(Event::SourceFailed {
                    reason: "The branch does not exist.".into(),
                })?;
                if done.is_some() {
                    self.counts.count("source failed");
                }
                Ok(())
            }
            _ => self.timers(),
        }
    }

    /// Steps, checks, and lets the effects reach the agents or not. `None` when it was refused.
    fn apply(&mut self, event: Event) -> Result<Option<Vec<Effect>>, String> {
        let before = self.task.clone();
        self.story.push(format!("{} {event:?}", self.now.0));
        let effects = match step(&mut self.task, event, self.now) {
            Ok(effects) => effects,
            Err(refused) => {
                let word = format!("{refused:?}");
                let word = word.split('(').next().unwrap_or_default().to_owned();
                self.story.push(format!("  refused {word}"));
                self.counts.count(format!("refused {word}"));
                return if before == self.task {
                    Ok(None)
                } else {
                    Err("a refused event changed the state".into())
                };
            }
        };
        check::accepted(&before, &self.task, &effects)?;
        for effect in &effects {
            self.carry_out(effect)?;
        }
        Ok(Some(effects))
    }

    fn carry_out(&mut self, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Assign { agent, fence } => {
                let arrives = self.random.chance(90);
                let agent = self
                    .agents
                    .iter_mut()
                    .find(|a| a.id == *agent)
                    .filter(|a| a.connected && arrives);
                let job = self
                    .task
                    .jobs
                    .iter()
                    .find(|job| job.attempt.id == fence.attempt)
                    .ok_or("no such job")?;
                let until = job.attempt.lease_until.ok_or("no lease")?;
                match agent {
                    Some(agent) => {
                        agent.take(*fence, job, until);
                    }
                    None => self.counts.count("assignment lost on its way"),
                }
            }
            Effect::Abort { agent, fence } => {
                for agent in self.agents.iter_mut().filter(|a| a.id == *agent && a.connected) {
                    agent.abort(*fence);
                }
            }
            Effect::Forget { agent, fence } => {
                for agent in self.agents.iter_mut().filter(|a| a.id == *agent && a.connected) {
                    agent.forget(*fence);
                }
            }
            Effect::NewAttempt {
                job,
                number,
                not_before,
            } => self.renew(*job, *number, *not_before)?,
            Effect::SlotFreed { .. } | Effect::JobsReady { .. } | Effect::TaskEnded { .. } => {}
        }
        Ok(())
    }

    fn renew(&mut self, job: JobId, number: i64, not_before: Option<Timestamp>) -> Result<(), String> {
        self.counts.count("new attempt");
        let first = self.next_id + 1;
        let job = self.task.jobs.iter_mut().find(|j| j.id == job).ok_or("no such job")?;
        let steps: Vec<StepId> = (1..).map(|n| StepId(first + n)).take(job.attempt.steps.len()).collect();
        self.next_id = first + steps.len() as i64;
        let next = job
            .attempt
            .following(AttemptId(first), &steps)
            .map_err(|e| e.to_string())?;
        if next.number != number || number > 1 + i64::from(job.retry.limit) || self.task.desired == Desired::Abort {
            return Err(format!("attempt {number} should not be"));
        }
        job.attempt = next;
        self.not_before.retain(|(id, _)| *id != job.id);
        self.not_before.extend(not_before.map(|at| (job.id, at)));
        Ok(())
    }

    fn hand_out(&mut self, dying: bool) -> Result<(), String> {
        let ready: Vec<JobId> = self
            .task
            .jobs
            .iter()
            .filter(|_| dying || self.random.chance(60))
            .filter(|job| !self.not_before.iter().any(|(id, at)| *id == job.id && *at > self.now))
            .map(|job| job.id)
            .collect();
        for job in ready {
            let there: Vec<AgentId> = self
                .agents
                .iter()
                .filter(|a| dying || a.connected)
                .map(|a| a.id)
                .collect();
            let Some(agent) = self.random.pick(&there).copied() else {
                return Ok(());
            };
            self.epoch += 1;
            let (epoch, lease_until) = (self.epoch, self.now.plus(LEASE_MS));
            let timeout_ms = self.random.chance(50).then_some(LEASE_MS / 3);
            // What is new may never be where something old still runs.
            let elsewhere = self
                .agents
                .iter()
                .any(|a| a.held.iter().any(|held| held.job == job && held.runs));
            let done = self.apply(Event::Assigned {
                job,
                agent,
                epoch,
                lease_until,
                timeout_ms,
            })?;
            match done {
                Some(_) if elsewhere => return Err(format!("job {job} runs twice")),
                Some(_) => {}
                None => self.counts.count("hand-out refused"),
            }
        }
        Ok(())
    }

    fn abort(&mut self) -> Result<(), String> {
        let running = self.task.jobs.iter().any(|job| job.attempt.holder().is_some());
        if self.apply(Event::AbortAsked { by: "anna".into() })?.is_some() {
            self.counts.count(if running {
                "abort while running"
            } else {
                "abort while pending"
            });
        }
        Ok(())
    }

    /// The server's clock loop: what is due is due, whoever is away.
    fn timers(&mut self) -> Result<(), String> {
        let held: Vec<AttemptState> = self
            .task
            .jobs
            .iter()
            .map(|job| job.attempt.clone())
            .filter(|attempt| attempt.holder().is_some())
            .collect();
        for attempt in held {
            if attempt.lease_until.is_some_and(|until| until <= self.now) {
                self.counts.count("lease expired");
                self.apply(Event::LeaseExpired {
                    attempt: attempt.id,
                    heard: None,
                })?
                .ok_or("an expired lease was not ended")?;
            } else if attempt.deadline_at.is_some_and(|until| until <= self.now) {
                self.counts.count("deadline passed");
                self.apply(Event::DeadlinePassed { attempt: attempt.id })?
                    .ok_or("a deadline did not end it")?;
            } else {
                self.apply(Event::DeadlinePassed { attempt: attempt.id })?;
            }
        }
        let waits = self.task.jobs.iter().all(|job| job.status == JobStatus::Pending);
        if waits && self.task.started_at.is_some() && self.task.jobs.iter().all(|job| job.attempt.number == 1) {
            return Err("a started task has nothing started".into());
        }
        Ok(())
    }
}
