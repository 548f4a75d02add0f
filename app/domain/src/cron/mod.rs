//! When a cron trigger fires: five fields with names, `L`, `#`, `W` and `H`, in a time zone of the IANA's list.
//!
//! **Invariant:** an instant comes up once. Where clocks jump forward, a fixed time that does not exist is taken at the first
//! one that does; where they fall back, a fixed time that comes twice is taken once. A schedule that was read does fire.

mod fields;
mod shape;
#[cfg(test)]
mod tests;

pub use shape::Hour;

use crate::{Problem, Timestamp};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Most bytes of an expression.
const LONGEST: usize = 200;
/// Within so many years a schedule must fire: the 29th of February on a given weekday comes every 28, or 40 over 2100.
const YEARS: i16 = 41;

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    plain: String,
}

/// A time at which one fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// When.
    pub at: Timestamp,
    /// What clocks of its zone show then, as `2027-03-29 02:30`.
    pub local: String,
    /// What clocks do at that time, if anything.
    pub jump: Option<Jump>,
}

/// What clocks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jump {
    /// They went forward over the time that was meant; it is taken right behind.
    Forward,
    /// They show this time twice; it is taken once.
    Back,
}

impl Schedule {
    /// Reads an expression and a zone; `seed` is what `H` is spread by, the trigger's id.
    ///
    /// # Errors
    /// All that is wrong with both, as problems of `cron` (line 1, at its column) and `zone`.
    pub fn parse(expression: &str, zone: &str, seed: i64) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let found = TimeZone::get(zone);
        if found.is_err() {
            let mut problem = Problem::field("zone", format!("There is no time zone `{zone}`."));
            problem.hint = Some("Zones are named as `Europe/Berlin`, `America/Santiago` or `UTC`.".into());
            problems.push(problem);
        }
        let plain = fields::plain(expression, seed).map_err(|more| problems.extend(more));
        let (Ok(plain), Ok(zone), true) = (plain, found, problems.is_empty()) else {
            return Err(problems);
        };
        let cron = read(&plain).map_err(|why| vec![at(1, format!("The expression cannot be read: {why}"), None)])?;
        let schedule = Self { cron, zone, plain };
        // The leap day of a century's end is eight years from the next; any start does.
        if schedule.after(Timestamp(1_767_225_600_000)).is_none() {
            let hint = "A month has at most 31 days, February 29; `L` is a month's last.";
            return Err(vec![at(
                1,
                "This never comes: there is no such day.".into(),
                Some(hint.into()),
            )]);
        }
        Ok(schedule)
    }

    /// The five fields with what `H` stands for.
    #[must_use]
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// In words, as `At 02:30 on weekdays.`
    #[must_use]
    pub fn sentence(&self) -> String {
        let said = self.cron.describe();
        let said = said.trim_end_matches('.').replacen("At every", "Every", 1);
        let fields: Vec<&str> = self.plain.split_whitespace().collect();
        // A time of the day says of itself that it is every day's only to who thinks of it.
        let every_day =
            fields[..].get(2..5) == Some(&["*", "*", "*"]) && fields.get(1).is_some_and(|h| h.parse::<u8>().is_ok());
        match said.strip_suffix(", on Monday, Tuesday, Wednesday, Thursday, and Friday") {
            Some(time) => format!("{time} on weekdays."),
            None if every_day => format!("{said} every day."),
            None => format!("{said}."),
        }
    }

    /// The first time after this one.
    #[must_use]
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        self.next(&self.zoned(time)?).map(|z| millis(&z))
    }

    /// The first `n` times after this one.
    #[must_use]
    pub fn upcoming(&self, time: Timestamp, n: usize) -> Vec<Firing> {
        let (mut found, mut from) = (Vec::new(), self.zoned(time));
        while let Some(next) = from.as_ref().filter(|_| found.len() < n).and_then(|z| self.next(z)) {
            found.push(Firing {
                at: millis(&next),
                local: next.strftime("%Y-%m-%d %H:%M").to_string(),
                jump: self.jump(&next),
            });
            from = Some(next);
        }
        found
    }

    /// The times after `from`, up to and with `to`: the last `most` of them, and how many there were. Past a hundred
    /// thousand it stops counting.
    #[must_use]
    pub fn missed(&self, from: Timestamp, to: Timestamp, most: usize) -> (Vec<Timestamp>, usize) {
        const COUNTED: usize = 100_000;
        let (mut last, mut count) = (std::collections::VecDeque::new(), 0);
        let mut next = self.after(from);
        while let Some(time) = next.filter(|t| *t <= to && count < COUNTED) {
            last.push_back(time);
            if last.len() > most {
                last.pop_front();
            }
            count += 1;
            next = self.after(time);
        }
        (last.into(), count)
    }

    fn next(&self, from: &Zoned) -> Option<Zoned> {
        let next = self.cron.find_next_occurrence(from, false).ok()?;
        (next.year() <= from.year().saturating_add(YEARS)).then_some(next)
    }

    fn zoned(&self, time: Timestamp) -> Option<Zoned> {
        let time = jiff::Timestamp::from_millisecond(time.0).ok()?;
        Some(time.to_zoned(self.zone.clone()))
    }

    fn jump(&self, time: &Zoned) -> Option<Jump> {
        if self.zone.to_ambiguous_zoned(time.datetime()).is_ambiguous() {
            return Some(Jump::Back);
        }
        // It was meant for another time of that day.
        let meant = self.cron.is_time_matching(time).unwrap_or(true);
        (!meant).then_some(Jump::Forward)
    }
}

fn millis(time: &Zoned) -> Timestamp {
    Timestamp(time.timestamp().as_millisecond())
}

fn read(plain: &str) -> Result<Cron, String> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed);
    parser.build().parse(plain).map_err(|e| e.to_string())
}

/// A problem of the expression at a column, in characters, 1-based.
fn at(column: usize, message: String, hint: Option<String>) -> Problem {
    Problem {
        path: "cron".into(),
        line: Some(1),
        column: u32::try_from(column).ok(),
        message,
        hint,
    }
}
