//! Agents as they are: they run what they are given, say so in order, die, forget, are cut off, and stop by themselves
//! when their lease ends.
//!
//! **Invariant:** an agent knows only what reached it; it never looks at the server's rows.

use super::random::Random;
use crate::lifecycle::{AgentEvent, Exit, Fence, JobState};
use crate::status::{ExecutorKind, StepKind};
use crate::{AgentId, JobId, StepId, Timestamp};

/// One attempt on its agent.
pub(super) struct Held {
    pub(super) fence: Fence,
    pub(super) job: JobId,
    /// It stops at this instant unless it hears from the server.
    pub(super) lease_until: Timestamp,
    /// Whether processes of it live.
    pub(super) runs: bool,
    steps: Vec<(StepId, StepKind, bool)>,
    told_to_end: bool,
    prepared: bool,
    next: usize,
    open: bool,
    bytes: u64,
    /// What was said and is not acknowledged, in order.
    pub(super) outbox: Vec<AgentEvent>,
}

pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) connected: bool,
    pub(super) dead: bool,
    /// Milliseconds its clock lags: so much later than meant it stops at a lease's end.
    pub(super) lag_ms: i64,
    pub(super) held: Vec<Held>,
}

impl Agent {
    pub(super) fn take(&mut self, fence: Fence, job: &JobState, lease_until: Timestamp) {
        if self.dead || self.held.iter().any(|held| held.fence == fence) {
            return;
        }
        let steps = job
            .attempt
            .steps
            .iter()
            .map(|step| (step.id, step.kind, step.allow_failure))
            .collect();
        self.held.push(Held {
            fence,
            job: job.id,
            lease_until,
            runs: true,
            steps,
            told_to_end: false,
            prepared: false,
            next: 0,
            open: false,
            bytes: 0,
            outbox: Vec::new(),
        });
    }

    pub(super) fn abort(&mut self, fence: Fence) {
        for held in self.held.iter_mut().filter(|held| held.fence == fence) {
            held.told_to_end = true;
        }
    }

    /// Kills and forgets what is not its own any more.
    pub(super) fn forget(&mut self, fence: Fence) {
        self.held.retain(|held| held.fence != fence);
    }
}

impl Held {
    /// Goes one step on.
    pub(super) fn advance(&mut self, random: &mut Random, now: Timestamp) {
        if !self.runs {
            return;
        }
        if !self.prepared {
            self.prepared = true;
            self.outbox.push(AgentEvent::Preparing {
                executor: ExecutorKind::Docker,
            });
            return;
        }
        let at = now.plus(random.below(40) as i64 - 20);
        let Some((step, kind, allowed)) = self.steps.get(self.next).copied() else {
            self.over(self.told_to_end && random.chance(50), random, at);
            return;
        };
        if self.told_to_end {
            if self.open {
                self.outbox.push(AgentEvent::StepEnded {
                    step,
                    exit: Exit::Aborted,
                    until: self.bytes,
                    at,
                });
            }
            self.over(true, random, at);
            return;
        }
        if !self.open && random.chance(90) {
            self.open = true;
            self.outbox.push(AgentEvent::StepStarted {
                step,
                from: self.bytes,
                at,
            });
            return;
        }
        let exit = match (random.below(60), self.open) {
            (0, true) => Exit::Exited(1),
            (1, true) => Exit::Signalled(9),
            (2, _) => Exit::TimedOut(60_000),
            (3, _) => Exit::Failed("The image is not there.".into()),
            (4, _) => Exit::Lost("The engine stopped.".into()),
            (_, false) => Exit::Skipped("branch is dev, not main.".into()),
            (_, true) => Exit::Exited(0),
        };
        if self.open {
            self.bytes += random.below(100) as u64;
        }
        let goes_on = match exit {
            Exit::Exited(0) | Exit::Skipped(_) => true,
            Exit::Lost(_) => false,
            _ => allowed,
        };
        self.outbox.push(AgentEvent::StepEnded {
            step,
            exit,
            until: self.bytes,
            at,
        });
        self.open = false;
        self.next += 1;
        if kind == StepKind::Setup && random.chance(50) {
            self.outbox.push(AgentEvent::CheckedOut);
        }
        if !goes_on || random.chance(2) {
            self.over(random.chance(10), random, at);
        }
    }

    /// Its lease has ended: it kills what runs, and says so when it can.
    pub(super) fn stop(&mut self, at: Timestamp) {
        self.runs = false;
        self.outbox.push(AgentEvent::Ended {
            aborted: true,
            error: Some("The server was not heard before the lease ended.".into()),
            at,
        });
    }

    fn over(&mut self, aborted: bool, random: &mut Random, at: Timestamp) {
        let error = random.chance(4).then(|| "The disk is full.".to_owned());
        self.outbox.push(AgentEvent::Ended { aborted, error, at });
        self.runs = false;
    }
}
