//! Views of ended tasks, kept for lists: an ended task changes no more, so its view is read once.
//!
//! **Invariant:** a view is given out only for the version it was read at; the cache is bounded and loses nothing but time.

use crate::store::Store;
use crate::store::tasks::{Listed, views};
use domain::task::TaskView;
use domain::{Result, TaskId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most views kept.
const KEPT: usize = 1_000;

/// The cache. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Ended(Arc<Mutex<HashMap<TaskId, TaskView>>>);

impl Ended {
    /// Views of listed tasks, in their order; what is not known yet is read and kept.
    pub async fn views(&self, store: &Store, listed: &[Listed]) -> Result<Vec<TaskView>> {
        let mut known: HashMap<TaskId, TaskView> = {
            let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let hit = |l: &Listed| cache.get(&l.id).filter(|v| v.version == l.version).cloned();
            listed.iter().filter_map(hit).map(|v| (v.id, v)).collect()
        };
        let missing: Vec<TaskId> = listed
            .iter()
            .map(|l| l.id)
            .filter(|id| !known.contains_key(id))
            .collect();
        let read = views(store, &missing).await?;
        {
            let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if cache.len() + read.len() > KEPT {
                // Rare, and cheaper than keeping an order: the next lists fill it again.
                cache.clear();
            }
            cache.extend(read.iter().filter(|v| v.status.ended()).map(|v| (v.id, v.clone())));
        }
        known.extend(read.into_iter().map(|v| (v.id, v)));
        let named = |l: &Listed| {
            let mut view = known.remove(&l.id)?;
            view.plan.name.clone_from(&l.plan);
            Some(view)
        };
        Ok(listed.iter().filter_map(named).collect())
    }
}
