//! Following the table of events, in order, from where one was.
//!
//! **Invariant:** nothing is passed over; what is noted lags, so whoever follows reads some again after a kill and must not
//! mind.

use super::{Result, Store, settings};
use domain::event::Event;

/// Events of one look.
const PAGE: u32 = 500;
/// Milliseconds between two notes.
const NOTED_MS: i64 = 5_000;

/// Where one is.
#[derive(Debug)]
pub struct Follower {
    key: &'static str,
    seen: Option<i64>,
    noted: i64,
    noted_at: i64,
}

impl Follower {
    /// One that notes where it is under this key of the settings.
    #[must_use]
    pub fn new(key: &'static str) -> Self {
        Self {
            key,
            seen: None,
            noted: -1,
            noted_at: 0,
        }
    }

    /// Whether it has not begun.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.seen.is_none()
    }

    /// Begins where it was. Before its first time of all everything is past; a database that was restored knows less than
    /// it did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&mut self, store: &Store) -> Result<()> {
        let newest = store.event_bounds().await?.0;
        let stored = settings::get(store, self.key)
            .await?
            .and_then(|s| s.parse::<i64>().ok());
        self.seen = Some(stored.filter(|s| *s <= newest).unwrap_or(newest));
        self.noted = stored.unwrap_or(-1);
        Ok(())
    }

    /// The next events; none when it has seen all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn behind(&self, store: &Store) -> Result<Vec<Event>> {
        store.events_since(None, self.seen.unwrap_or_default(), PAGE).await
    }

    /// Those of events just written that it has not seen; `None` when some before them are missing.
    #[must_use]
    pub fn fresh<'a>(&self, events: &'a [Event]) -> Option<&'a [Event]> {
        let seen = self.seen?;
        let first = events.first()?;
        if first.seq > seen + 1 {
            return None;
        }
        Some(&events[events.partition_point(|e| e.seq <= seen)..])
    }

    /// It has seen this one.
    pub fn passed(&mut self, event: &Event) {
        self.seen = Some(event.seq);
    }

    /// Notes where it is: now and then, or `at_once`. `elapsed` as of a clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(&mut self, store: &Store, elapsed: i64, at_once: bool) -> Result<()> {
        let Some(seen) = self.seen.filter(|s| *s != self.noted) else {
            return Ok(());
        };
        if !at_once && self.noted >= 0 && elapsed - self.noted_at < NOTED_MS {
            return Ok(());
        }
        let key = self.key;
        store
            .write(move |tx| Box::pin(async move { settings::put(tx, key, &seen.to_string()).await }))
            .await?;
        (self.noted, self.noted_at) = (seen, elapsed);
        Ok(())
    }
}
