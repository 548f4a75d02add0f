//! The placement itself: one pass over the queue, with jobs of equal wishes examined once.
//!
//! **Invariant:** every waiting job is either placed or has a reason, never both; no agent gets more than its slots.

use super::{Agent, Held, Waiting, Why, Wish, fit};
use crate::{AgentId, AttemptId, JobId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A job to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The job.
    pub job: JobId,
    /// Its waiting attempt.
    pub attempt: AttemptId,
    /// Who gets it.
    pub agent: AgentId,
}

/// What to hand out, and why the rest waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to hand out, in queue order.
    pub placements: Vec<Placement>,
    /// The different reasons; jobs alike share one.
    whys: Vec<Why>,
    /// Every job that waits on, in queue order, with the place of its reason in `whys`.
    left: Vec<(JobId, usize)>,
}

impl Plan {
    /// Why each job that is not placed waits, in queue order. Jobs alike share one [`Why`] (the same address).
    pub fn reasons(&self) -> impl ExactSizeIterator<Item = (JobId, &Why)> {
        self.left.iter().map(|(job, why)| (*job, &self.whys[*why]))
    }

    fn leave(&mut self, job: JobId, why: Why) -> usize {
        self.whys.push(why);
        self.left.push((job, self.whys.len() - 1));
        self.whys.len() - 1
    }

    /// Leaves a job for a reason that is made once, at its first use.
    fn leave_alike(&mut self, job: JobId, made: &mut Option<usize>, why: fn() -> Why) {
        match *made {
            Some(why) => self.left.push((job, why)),
            None => *made = Some(self.leave(job, why())),
        }
    }
}

/// Jobs with one wish.
struct Group {
    /// Agents that take such jobs now, slots apart.
    takers: Vec<usize>,
    /// Their reason, once no taker has a free slot. Slots only fill during a pass, so it holds to the end.
    why: Option<usize>,
}

/// Hands out what fits, the least busy agent first. `waiting` comes in queue order ([`Waiting::rank`]); jobs with unmet
/// needs may be left out of it (their reason is [`Why::needs`]).
#[must_use]
pub fn place<'a>(agents: &[Agent], waiting: impl IntoIterator<Item = &'a Waiting>, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut busy: Vec<u32> = agents
        .iter()
        .map(|agent| u32::try_from(agent.busy.len()).unwrap_or(u32::MAX))
        .collect();
    let mut groups: Vec<Group> = Vec::new();
    let mut known: BTreeMap<&'a Wish, usize> = BTreeMap::new();
    let mut last: Option<(&'a Arc<Wish>, usize)> = None;
    let (mut resolving, mut approval) = (None, None);
    let mut held_back = None;

    for job in waiting {
        if let Some(why) = Why::needs(&job.unmet) {
            plan.leave(job.job, why);
            continue;
        }
        match job.held {
            None => {}
            Some(Held::Resolving) => {
                plan.leave_alike(job.job, &mut resolving, Why::resolving);
                continue;
            }
            Some(Held::Approval) => {
                plan.leave_alike(job.job, &mut approval, Why::approval);
                continue;
            }
        }
        if job.not_before.is_some_and(|at| at > now) {
            plan.leave_alike(job.job, &mut held_back, Why::held_back);
            continue;
        }
        let index = match last {
            Some((wish, index)) if Arc::ptr_eq(wish, &job.wish) => index,
            _ => *known.entry(&job.wish).or_insert_with(|| {
                let takes = |i: &usize| {
                    fit::misfit(&agents[*i], &job.wish).is_none() && fit::hindrance(&agents[*i], &job.wish).is_none()
                };
                groups.push(Group {
                    takers: (0..agents.len()).filter(takes).collect(),
                    why: None,
                });
                groups.len() - 1
            }),
        };
        last = Some((&job.wish, index));
        let group = &mut groups[index];
        if let Some(why) = group.why {
            plan.left.push((job.job, why));
            continue;
        }
        match least_busy(agents, &busy, &group.takers) {
            Some(taker) => {
                busy[taker] += 1;
                plan.placements.push(Placement {
                    job: job.job,
                    attempt: job.attempt,
                    agent: agents[taker].id,
                });
            }
            None => group.why = Some(plan.leave(job.job, Why::agents(&job.wish, agents, &busy))),
        }
    }
    plan
}

/// The taker with the smallest share of its slots busy; the lowest id among equals.
fn least_busy(agents: &[Agent], busy: &[u32], takers: &[usize]) -> Option<usize> {
    let free = takers.iter().copied().filter(|i| busy[*i] < agents[*i].slots);
    free.min_by(|a, b| {
        let share = |x: usize, of: usize| u64::from(busy[x]) * u64::from(agents[of].slots);
        share(*a, *b)
            .cmp(&share(*b, *a))
            .then(agents[*a].id.cmp(&agents[*b].id))
    })
}
