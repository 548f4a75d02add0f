//! What each slot's last job ran in, over restarts of the agent: its first job is to find a container ready too.
//!
//! **Invariant:** only a hint: a file that is lost, damaged or refused by the disk costs the first job some time, no more.

use super::profile::Effective;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What a job ran in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    /// The image, as its plan names it.
    pub image: String,
    pub limits: Effective,
}

/// What is remembered, by slot.
pub(super) struct Habit {
    file: Option<PathBuf>,
    slots: Mutex<BTreeMap<usize, Last>>,
}

impl Habit {
    /// What an earlier agent noted in this file. Blocking for a moment.
    pub fn read(file: Option<PathBuf>) -> Self {
        let text = file.as_ref().and_then(|f| std::fs::read(f).ok());
        let slots = text.and_then(|t| serde_json::from_slice(&t).ok()).unwrap_or_default();
        Self {
            file,
            slots: Mutex::new(slots),
        }
    }

    /// What a slot's last job ran in.
    pub fn of(&self, slot: usize) -> Option<Last> {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&slot)
            .cloned()
    }

    /// Notes it, where it is another than before.
    pub fn note(&self, slot: usize, last: Last) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.get(&slot) == Some(&last) {
            return;
        }
        slots.insert(slot, last);
        let Some(file) = &self.file else { return };
        let new = file.with_extension("new");
        let written = serde_json::to_vec(&*slots).map_err(std::io::Error::from);
        let written = written
            .and_then(|json| std::fs::write(&new, json))
            .and_then(|()| std::fs::rename(&new, file));
        if let Err(e) = written {
            tracing::debug!(
                "What slot {slot} ran last could not be noted in {}: {e}",
                file.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_survive_a_restart_and_damage() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("warm.json");
        let last = |image: &str| Last {
            image: image.into(),
            limits: Effective {
                nano_cpus: 1,
                memory: 2,
            },
        };
        let habit = Habit::read(Some(file.clone()));
        habit.note(0, last("a"));
        habit.note(1, last("a"));
        habit.note(0, last("b"));
        let again = Habit::read(Some(file.clone()));
        assert_eq!(
            (again.of(0), again.of(1), again.of(2)),
            (Some(last("b")), Some(last("a")), None)
        );
        std::fs::write(&file, "{").unwrap();
        assert_eq!(Habit::read(Some(file)).of(0), None);
    }
}
