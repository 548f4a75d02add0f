//! Viewers seen in the last few seconds, so that a call costs no query while rights have not changed.
//!
//! **Invariant:** nothing is believed longer than five seconds, and what this server revokes is forgotten at once.

use domain::Timestamp;
use domain::auth::Viewer;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a viewer is believed.
const TTL_MS: i64 = 5_000;
/// Most viewers held; when there are more, all are asked again.
const MOST: usize = 4_096;

/// Viewers by the hash of their secret.
#[derive(Debug, Default)]
pub struct Cache(Mutex<HashMap<String, (Timestamp, Viewer)>>);

impl Cache {
    /// The viewer of a hash, if it was looked up within five seconds.
    pub fn get(&self, hash: &str, now: Timestamp) -> Option<Viewer> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(hash)
            .filter(|(at, _)| (0..TTL_MS).contains(&now.since(*at)))
            .map(|(_, v)| v.clone())
    }

    /// Remembers a viewer.
    pub fn put(&self, hash: String, now: Timestamp, viewer: Viewer) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MOST {
            map.clear();
        }
        map.insert(hash, (now, viewer));
    }

    /// Forgets everybody: rights have changed.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::access::command_line;

    #[test]
    fn a_viewer_is_believed_for_five_seconds() {
        let c = Cache::default();
        let at = Timestamp(10_000);
        c.put("h".into(), at, command_line());
        assert!(c.get("h", at.plus(4_999)).is_some());
        assert!(c.get("h", at.plus(5_000)).is_none());
        assert!(c.get("h", at.plus(-1)).is_none(), "a clock set back believes nobody");
        c.clear();
        assert!(c.get("h", at).is_none());
    }
}
