//! Warm slots: a container that waits, with a shim that has called, for the job that a slot will get next. Most want what
//! the slot's last job had.
//!
//! **Invariant:** nothing ran in a warm container but its shim; it serves one job, or is removed when another image is
//! wanted, when nobody came for [`IDLE`], or when the agent goes.

use super::vessel::{Vessel, Wanted, Yard};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long one waits.
const IDLE: Duration = Duration::from_secs(600);

/// The warm containers of this agent, by slot.
#[derive(Default)]
pub(super) struct Warm(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    /// What a slot's last job had.
    last: BTreeMap<usize, Wanted>,
    waiting: BTreeMap<usize, Waiting>,
    number: u64,
    closed: bool,
}

struct Waiting {
    number: u64,
    wanted: Wanted,
    /// `None` while it is being made; taken once.
    made: watch::Receiver<bool>,
    vessel: Arc<Mutex<Option<Vessel>>>,
}

impl Warm {
    /// The one that waits on this slot, if it is what is wanted; any other there is scrapped.
    pub async fn take(&self, yard: &Yard, wanted: &Wanted) -> Option<Vessel> {
        let mut found = {
            let mut slots = self.lock();
            slots.last.insert(wanted.slot, wanted.clone());
            slots.waiting.remove(&wanted.slot)?
        };
        let vessel = |w: &Waiting| w.vessel.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A folder that cannot be told is none.
        if found.wanted != *wanted || wanted.folder.is_none() {
            // One that is still being made scraps itself: nobody waits for it any more.
            if let Some(old) = vessel(&found) {
                yard.scrap(old);
            }
            return None;
        }
        let _ = found.made.wait_for(|made| *made).await;
        let taken = vessel(&found)?;
        if taken.shim.up() {
            return Some(taken);
        }
        yard.scrap(taken);
        None
    }

    /// What a slot's last job had.
    pub fn last(&self, slot: usize) -> Option<Wanted> {
        self.lock().last.get(&slot).cloned()
    }

    /// Slots that have one of this image, by the image's name.
    pub fn slots(&self, image: &str) -> Vec<usize> {
        let slots = self.lock();
        let fit = slots.waiting.iter().filter(|(_, w)| w.wanted.image.name == image);
        fit.map(|(slot, _)| *slot).collect()
    }

    /// Makes one for a slot, if none waits there.
    pub async fn make(self: &Arc<Self>, yard: &Yard, wanted: Wanted) {
        let (tell, made) = watch::channel(false);
        let vessel = Arc::new(Mutex::new(None));
        let (slot, number) = {
            let mut slots = self.lock();
            let there = slots.waiting.get(&wanted.slot).is_some_and(|w| w.wanted == wanted);
            if slots.closed || there {
                return;
            }
            slots.number += 1;
            let number = slots.number;
            let waiting = Waiting {
                number,
                wanted: wanted.clone(),
                made,
                vessel: vessel.clone(),
            };
            if let Some(old) = slots.waiting.insert(wanted.slot, waiting)
                && let Some(old) = old.vessel.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                yard.scrap(old);
            }
            (wanted.slot, number)
        };
        let name = format!("{}-warm-{number}", yard.owner.network(slot));
        match yard.make(wanted, &name).await {
            Ok(one) => {
                failpoint::reached("agent.warmed");
                let wanted_still =
                    self.lock().waiting.get(&slot).is_some_and(|w| w.number == number) || !tell.is_closed();
                if wanted_still {
                    *vessel.lock().unwrap_or_else(PoisonError::into_inner) = Some(one);
                } else {
                    yard.scrap(one);
                }
            }
            Err(e) => {
                tracing::debug!("No warm container for slot {slot}: {e}");
                self.forget(slot, number);
            }
        }
        tell.send_replace(true);
        let (warm, yard) = (self.clone(), yard.clone());
        tokio::spawn(async move {
            sleep(IDLE).await;
            if let Some(old) = warm.forget(slot, number) {
                yard.scrap(old);
            }
        });
    }

    fn forget(&self, slot: usize, number: u64) -> Option<Vessel> {
        let mut slots = self.lock();
        if slots.waiting.get(&slot).is_none_or(|w| w.number != number) {
            return None;
        }
        let found = slots.waiting.remove(&slot)?;
        found.vessel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Removes them all; none is made any more.
    pub fn close(&self, yard: &Yard) {
        let waiting = {
            let mut slots = self.lock();
            slots.closed = true;
            std::mem::take(&mut slots.waiting)
        };
        for found in waiting.into_values() {
            if let Some(old) = found.vessel.lock().unwrap_or_else(PoisonError::into_inner).take() {
                yard.scrap(old);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
