//! What a schedule looks like from afar: how often it fires in a day, in which hours, and whether at a given instant.
//!
//! **Invariant:** an hour that is told has a firing in it; the work hangs on the number of hours, not on that of firings.

use super::{Schedule, millis};
use crate::Timestamp;

/// An hour, by the clocks of the schedule's zone, in which it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// The first firing in it.
    pub first: Timestamp,
    /// The day of the week; 0 is Monday.
    pub day: u8,
    /// The hour that clocks show.
    pub hour: u8,
    /// How many firings; of an hour in which clocks jump, about as many.
    pub firings: u32,
}

impl Schedule {
    /// How many firings a day has on which it fires, if clocks do not jump then.
    #[must_use]
    pub fn per_day(&self) -> u32 {
        let hours = (0..24).filter(|h| self.cron.pattern.hour_match(*h).unwrap_or(false));
        let hours = u32::try_from(hours.count()).unwrap_or(24);
        hours * self.minutes(0, 59)
    }

    /// Whether it fires at this very instant.
    #[must_use]
    pub fn fires_at(&self, at: Timestamp) -> bool {
        let Some(shown) = self.zoned(at) else { return false };
        let meant = self.cron.is_time_matching(&shown).unwrap_or(false);
        // A time that clocks have jumped over is taken at the instant of the jump.
        let jumped = || {
            let behind = self.zoned(at.plus(1)).map(|z| z.timestamp());
            let last = behind.and_then(|t| self.zone.preceding(t).next());
            last.is_some_and(|t| t.timestamp() == shown.timestamp())
        };
        (meant || jumped()) && self.after(at.plus(-1)) == Some(at)
    }

    /// The hours after `from`, up to and with `to`, in which it fires.
    #[must_use]
    pub fn hours(&self, from: Timestamp, to: Timestamp) -> Vec<Hour> {
        let mut found = Vec::new();
        let mut next = self.zoned(from).and_then(|z| self.next(&z));
        while let Some(time) = next.filter(|z| millis(z) <= to) {
            let minute = u32::try_from(time.minute()).unwrap_or(0);
            let left = u32::try_from(to.since(millis(&time)) / 60_000).unwrap_or(u32::MAX);
            found.push(Hour {
                first: millis(&time),
                day: u8::try_from(time.weekday().to_monday_zero_offset()).unwrap_or(0),
                hour: u8::try_from(time.hour()).unwrap_or(0),
                // The one that clocks have jumped over stands at a minute of its own.
                firings: self.minutes(minute, minute.saturating_add(left).min(59)).max(1),
            });
            // On from the last minute of that hour.
            let rest = i64::from(59 - minute.min(59)) * 60_000;
            next = self.zoned(millis(&time).plus(rest)).and_then(|z| self.next(&z));
        }
        found
    }

    /// How many minutes of an hour it fires at, between these two.
    fn minutes(&self, first: u32, last: u32) -> u32 {
        let minutes = (first..=last).filter(|m| self.cron.pattern.minute_match(*m).unwrap_or(false));
        u32::try_from(minutes.count()).unwrap_or(60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(expression: &str, zone: &str) -> Schedule {
        Schedule::parse(expression, zone, 1).unwrap()
    }

    fn at(utc: &str) -> Timestamp {
        Timestamp::parse(utc).unwrap()
    }

    #[test]
    fn firings_of_a_day_are_counted_from_the_fields() {
        for (expression, want) in [
            ("* * * * *", 1_440),
            ("*/5 * * * *", 288),
            ("0,30 8-17 * * 1-5", 20),
            ("30 2 * * *", 1),
            ("H/15 H * * *", 4),
        ] {
            assert_eq!(schedule(expression, "UTC").per_day(), want, "{expression}");
        }
    }

    #[test]
    fn an_instant_is_one_of_its_times_or_not() {
        let berlin = schedule("30 2 * * *", "Europe/Berlin");
        for (time, want) in [
            ("2026-11-23T01:30:00Z", true),
            ("2026-11-23T01:31:00Z", false),
            ("2026-11-23T02:30:00Z", false),
            // 02:30 does not exist on 29 March: 03:00 is taken.
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T01:30:00Z", false),
            // It exists twice on 25 October: the first is taken.
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:30:00Z", false),
        ] {
            assert_eq!(berlin.fires_at(at(time)), want, "{time}");
        }
        let every = schedule("*/10 * * * *", "Europe/Berlin");
        assert!(every.fires_at(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn hours_are_those_of_the_firings() {
        let from = at("2026-11-22T09:10:00Z");
        let work = schedule("*/20 8-9 * * 1-5", "UTC");
        let all = work.hours(from, at("2026-11-29T09:10:00Z"));
        let seen: Vec<_> = all.iter().map(|h| (h.day, h.hour, h.firings)).collect();
        assert_eq!(seen.len(), 10);
        assert_eq!(seen[..3], [(0, 8, 3), (0, 9, 3), (1, 8, 3)]);
        assert_eq!(all[0].first, at("2026-11-23T08:00:00Z"));
        // Beginning in the middle of an hour; as many as there are really.
        let every = schedule("* * * * *", "Asia/Kolkata");
        let all = every.hours(from, at("2026-11-23T09:10:00Z"));
        assert_eq!(all.iter().map(|h| h.firings).sum::<u32>(), 1_440);
        assert_eq!((all[0].first, all[0].hour), (at("2026-11-22T09:11:00Z"), 14));
    }

    #[test]
    fn every_firing_is_in_an_hour_that_is_told_also_when_clocks_jump() {
        for zone in ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"] {
            for expression in ["30 2 * * *", "*/7 0-4 * * *", "15,45 * * * *", "0 0 * * *"] {
                let schedule = schedule(expression, zone);
                for start in [
                    "2026-03-27T00:00:00Z",
                    "2026-04-03T00:00:00Z",
                    "2026-09-04T00:00:00Z",
                    "2026-10-02T00:00:00Z",
                    "2026-10-23T00:00:00Z",
                ] {
                    let (from, to) = (at(start), at(start).plus(5 * 86_400_000));
                    let hours = schedule.hours(from, to);
                    let told: std::collections::BTreeSet<_> = hours.iter().map(|h| (h.day, h.hour)).collect();
                    let mut next = schedule.after(from);
                    while let Some(time) = next.filter(|t| *t <= to) {
                        let zoned = schedule.zoned(time).unwrap();
                        let cell = (zoned.weekday().to_monday_zero_offset() as u8, zoned.hour() as u8);
                        assert!(told.contains(&cell), "{zone} {expression} {start}: {cell:?}");
                        assert!(schedule.fires_at(time), "{zone} {expression} {zoned}");
                        next = schedule.after(time);
                    }
                    assert!(hours.iter().all(|h| schedule.fires_at(h.first)));
                }
            }
        }
    }
}
