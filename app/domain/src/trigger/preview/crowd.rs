//! The other schedules of a project, read once and asked often.
//!
//! **Invariant:** who fires all day long is not in it, as everybody meets them; who cannot be read is not either.

use super::Neighbour;
use crate::cron::Schedule;
use crate::{Timestamp, TriggerId};

/// Firings of a day from which on somebody fires all day long.
const BUSY: u32 = 48;

/// Other schedules.
#[derive(Debug, Clone, Default)]
pub struct Crowd(Vec<(Neighbour, Schedule)>);

impl Crowd {
    /// Reads them.
    #[must_use]
    pub fn of(all: &[Neighbour]) -> Self {
        let read = |n: &Neighbour| {
            let schedule = Schedule::parse(&n.cron, &n.zone, n.id.0).ok()?;
            (!Self::is_busy(&schedule)).then(|| (n.clone(), schedule))
        };
        Self(all.iter().filter_map(read).collect())
    }

    /// Whether a schedule fires all day long: half-hourly or more often.
    #[must_use]
    pub fn is_busy(schedule: &Schedule) -> bool {
        schedule.per_day() >= BUSY
    }

    /// The names of those that fire at this very instant, but for one of them.
    #[must_use]
    pub fn at(&self, at: Timestamp, but: Option<TriggerId>) -> Vec<&str> {
        let fires = |(n, schedule): &&(Neighbour, Schedule)| {
            let inside = n.from.is_none_or(|from| from <= at) && n.until.is_none_or(|until| at <= until);
            inside && Some(n.id) != but && schedule.fires_at(at)
        };
        self.0.iter().filter(fires).map(|(n, _)| n.name.as_str()).collect()
    }
}
