//! What an expression of cron means: the question, the answer, and the one function from the one to the other.
//!
//! **Invariant:** the same in server and browser; a time that is told is one at which it would fire.

#[cfg(feature = "cron")]
mod crowd;
#[cfg(feature = "cron")]
mod read;

#[cfg(feature = "cron")]
pub use crowd::Crowd;
#[cfg(feature = "cron")]
pub use read::preview;

use crate::{Timestamp, TriggerId};
use serde::{Deserialize, Serialize};

/// What is asked of an expression of cron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CronQuestion {
    /// Five fields.
    pub cron: String,
    /// A time zone of the IANA's list; UTC when absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// The trigger that it is for: `H` is spread by it.
    #[serde(default)]
    pub trigger_id: Option<TriggerId>,
}

/// What an expression of cron means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CronPreview {
    /// In words.
    pub sentence: String,
    /// The five fields, with what `H` stands for.
    pub plain: String,
    /// The next times.
    pub next: Vec<Upcoming>,
    /// The hours of the next seven days in which it fires.
    pub week: Vec<WeekHour>,
    /// The first of the next times at which most other triggers fire too; none fires then when absent.
    pub together: Option<Together>,
}

/// A time to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Upcoming {
    /// When.
    pub at: Timestamp,
    /// What clocks of its zone show then, as `2027-03-29 02:30`.
    pub local: String,
    /// What clocks do at that time, if anything: `forward` over the time that was meant, or `back`, so that it comes twice.
    pub jump: Option<String>,
}

/// An hour of a week, by the clocks of its zone, in which something fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WeekHour {
    /// The day; 0 is Monday.
    pub day: u8,
    /// The hour that clocks show.
    pub hour: u8,
    /// How many firings.
    pub firings: u32,
}

/// A time at which others fire too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Together {
    /// When.
    pub at: Timestamp,
    /// What clocks of its zone show then.
    pub local: String,
    /// The names of the others; those that fire all day long are not counted.
    pub names: Vec<String>,
    /// At how many of the next times some other fires too.
    pub times: u32,
}

/// Another schedule, which one would rather not meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its trigger.
    pub id: TriggerId,
    /// That trigger's name.
    pub name: String,
    /// Five fields.
    pub cron: String,
    /// Its zone.
    pub zone: String,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

/// Names of others that are said before the rest is counted.
const NAMED: usize = 3;

impl Together {
    /// In words: `At 02:30 two other triggers fire: nightly and backup.`
    #[must_use]
    pub fn words(&self) -> String {
        let clock = self
            .local
            .split_once(' ')
            .map_or(self.local.as_str(), |(_, clock)| clock);
        let (verb, noun) = match self.names.len() {
            1 => ("fires", "trigger"),
            _ => ("fire", "triggers"),
        };
        let count = match self.names.len() {
            1 => "one".to_owned(),
            2 => "two".to_owned(),
            3 => "three".to_owned(),
            n => n.to_string(),
        };
        let more = self.names.len().saturating_sub(NAMED);
        let mut names: Vec<String> = self.names.iter().take(NAMED).cloned().collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        let last = names.pop().unwrap_or_default();
        let names = match names.is_empty() {
            true => last,
            false => format!("{} and {last}", names.join(", ")),
        };
        format!("At {clock} {count} other {noun} {verb}: {names}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fires_at_the_same_time_is_named_as_long_as_they_are_few() {
        let words = |names: &[&str]| {
            Together {
                at: Timestamp(0),
                local: "2026-11-23 02:30".into(),
                names: names.iter().map(|n| (*n).to_owned()).collect(),
                times: 1,
            }
            .words()
        };
        assert_eq!(words(&["nightly"]), "At 02:30 one other trigger fires: nightly.");
        assert_eq!(
            words(&["nightly", "backup"]),
            "At 02:30 two other triggers fire: nightly and backup."
        );
        assert_eq!(
            words(&["a", "b", "c", "d", "e"]),
            "At 02:30 5 other triggers fire: a, b, c and 2 more."
        );
    }
}
