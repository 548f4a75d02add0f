//! Why jobs wait: the placement asked again, of the rows as they are now.
//!
//! **Invariant:** a sentence is made when it is read, so it is true when it is read; none is stored.

use crate::space::Space;
use crate::store::tasks::{Waiting, WaitingFilter, waiting_all};
use crate::store::{Result, Store, agents};
use domain::placement::{Agent, Why, fits, place};
use domain::queue::{Fit, ReasonCode};
use domain::{JobId, Timestamp};
use std::collections::HashMap;

/// A waiting job and why it waits.
pub(super) struct Reasoned {
    pub waiting: Waiting,
    pub why: Why,
    pub agents: Vec<Fit>,
}

/// Waiting jobs in order, each with its reason.
pub(super) async fn reasons(
    store: &Store,
    space: &Space,
    filter: WaitingFilter,
    now: Timestamp,
) -> Result<Vec<Reasoned>> {
    let fleet = agents::fleet_now(store).await?;
    let waiting = waiting_all(store, filter).await?;
    Ok(explain(&fleet, space, waiting, now))
}

/// The same, of a fleet already read.
pub(super) fn explain(fleet: &[Agent], space: &Space, waiting: Vec<Waiting>, now: Timestamp) -> Vec<Reasoned> {
    let full = space.is_low() && space.look().is_some();
    let plan = place(fleet, waiting.iter().map(|w| &w.place), now);
    let mut why: HashMap<JobId, Why> = plan.reasons().map(|(j, w)| (j, w.clone())).collect();
    let mut alike: HashMap<String, Vec<Fit>> = HashMap::new();
    waiting
        .into_iter()
        .map(|w| {
            let mut why = why.remove(&w.place.job).unwrap_or_else(|| Why {
                code: ReasonCode::Placing,
                sentence: "It is being handed out now.".into(),
                blocker: None,
            });
            if full && matches!(why.code, ReasonCode::Placing | ReasonCode::Slots) {
                why = Why {
                    code: ReasonCode::Disk,
                    sentence: "The server's disk is nearly full; it hands nothing out until there is space.".into(),
                    blocker: None,
                };
            }
            let agents = alike
                .entry(w.demands.clone())
                .or_insert_with(|| fits(&w.place.wish, fleet))
                .clone();
            Reasoned {
                waiting: w,
                why,
                agents,
            }
        })
        .collect()
}
