//! The scheduler: who gets what. It reads the fleet and the head of the queue inside a write, asks `domain::placement`,
//! and hands out what fits in that same write.
//!
//! **Invariant:** after a placement no job waits while a slot that fits it is free, but for want of space on the server's
//! disk; its cost hangs on the free slots, not on the length of the queue.

use crate::queue::apply;
use crate::space::Space;
use crate::store::tasks::ready;
use crate::store::{Result, Tx, agents};
use domain::Timestamp;
use domain::lifecycle::{Effect, Event};
use domain::placement::{Agent, Busy, place};
use domain::status::{AgentStatus, Availability};
use std::collections::HashSet;
use std::sync::Arc;

/// On what terms jobs are handed out.
#[derive(Clone)]
pub struct Terms {
    /// Milliseconds that an attempt's first hold lasts.
    pub lease_ms: i64,
    /// Where its output will be stored; while there is too little, nothing is handed out.
    pub space: Option<Arc<Space>>,
}

/// Hands out waiting jobs to free slots. Effects are for after the commit.
///
/// # Errors
/// When the database fails.
pub async fn place_waiting(tx: &mut Tx, terms: &Terms, now: Timestamp) -> Result<Vec<Effect>> {
    if terms.space.as_ref().is_some_and(|s| s.is_low() && s.look().is_some()) {
        return Ok(Vec::new());
    }
    let mut fleet = agents::fleet(tx).await?;
    let mut blocked: Vec<String> = Vec::new();
    let mut effects = Vec::new();
    loop {
        let free = free_slots(&fleet);
        if free == 0 {
            return Ok(effects);
        }
        let waiting = ready(tx, free, &blocked, now).await?;
        if waiting.is_empty() {
            return Ok(effects);
        }
        let plan = place(&fleet, waiting.iter().map(|w| &w.place), now);
        let placed: HashSet<_> = plan.placements.iter().map(|p| p.job).collect();
        for p in &plan.placements {
            let Some(w) = waiting.iter().find(|w| w.place.job == p.job) else {
                continue;
            };
            let event = Event::Assigned {
                job: p.job,
                agent: p.agent,
                epoch: w.epoch + 1,
                lease_until: now.plus(terms.lease_ms),
                timeout_ms: w.timeout_ms,
            };
            let applied = apply(tx, w.place.task, vec![event], None, now).await?;
            if let Some(Some(why)) = applied.refused.first() {
                tracing::error!(job.id = %p.job, "Placement gave out job {} that may not be: {why}", p.job);
                blocked.push(w.demands.clone());
                continue;
            }
            effects.extend(applied.effects);
            if let Some(a) = fleet.iter_mut().find(|a| a.id == p.agent) {
                a.busy.push(Busy {
                    task: w.place.task,
                    job: p.job,
                });
            }
        }
        // What found no agent now finds none in this whole round: look past all jobs like it.
        let before = blocked.len();
        for w in waiting.iter().filter(|w| !placed.contains(&w.place.job)) {
            if !blocked.contains(&w.demands) {
                blocked.push(w.demands.clone());
            }
        }
        // All that waits was looked at, or nothing came of it.
        let all = (waiting.len() as i64) < free;
        if all || placed.is_empty() && blocked.len() == before {
            return Ok(effects);
        }
    }
}

fn free_slots(fleet: &[Agent]) -> i64 {
    fleet
        .iter()
        .filter(|a| a.status == AgentStatus::Online && a.availability == Availability::Active)
        .map(|a| i64::from(a.slots).saturating_sub(a.busy.len() as i64).max(0))
        .sum()
}
