//! From the question to the answer.

use super::{CronPreview, CronQuestion, Crowd, Together, Upcoming, WeekHour};
use crate::cron::{Firing, Jump, Schedule};
use crate::{Error, Result, Timestamp};

/// Times that are told.
const TIMES: usize = 10;
/// Milliseconds of a week.
const WEEK: i64 = 7 * 86_400_000;

/// What an expression means at this time, beside those others.
///
/// # Errors
/// `Invalid` with everything that is wrong with expression and zone, as of [`Schedule::parse`].
pub fn preview(what: &CronQuestion, now: Timestamp, others: &Crowd) -> Result<CronPreview> {
    let zone = what
        .zone
        .as_deref()
        .map(str::trim)
        .filter(|z| !z.is_empty())
        .unwrap_or("UTC");
    let seed = what.trigger_id.map_or(0, |t| t.0);
    let schedule = Schedule::parse(&what.cron, zone, seed).map_err(|problems| Error::Invalid {
        detail: "The expression cannot be read.".into(),
        problems,
    })?;
    let next = schedule.upcoming(now, TIMES);
    let mut week: Vec<WeekHour> = Vec::new();
    for hour in schedule.hours(now, now.plus(WEEK)) {
        match week.iter_mut().find(|w| (w.day, w.hour) == (hour.day, hour.hour)) {
            Some(there) => there.firings += hour.firings,
            None => week.push(WeekHour {
                day: hour.day,
                hour: hour.hour,
                firings: hour.firings,
            }),
        }
    }
    Ok(CronPreview {
        sentence: schedule.sentence(),
        plain: schedule.plain().to_owned(),
        together: together(&schedule, what, &next, others),
        next: next.into_iter().map(upcoming).collect(),
        week,
    })
}

fn together(schedule: &Schedule, what: &CronQuestion, next: &[Firing], others: &Crowd) -> Option<Together> {
    if Crowd::is_busy(schedule) {
        return None;
    }
    let (mut most, mut times): (Option<Together>, u32) = (None, 0);
    for firing in next {
        let names = others.at(firing.at, what.trigger_id);
        if names.is_empty() {
            continue;
        }
        times += 1;
        if most.as_ref().is_none_or(|m| m.names.len() < names.len()) {
            most = Some(Together {
                at: firing.at,
                local: firing.local.clone(),
                names: names.into_iter().map(str::to_owned).collect(),
                times: 0,
            });
        }
    }
    most.map(|m| Together { times, ..m })
}

fn upcoming(firing: Firing) -> Upcoming {
    let word = |jump| match jump {
        Jump::Forward => "forward".to_owned(),
        Jump::Back => "back".to_owned(),
    };
    Upcoming {
        at: firing.at,
        local: firing.local,
        jump: firing.jump.map(word),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Neighbour;
    use super::*;
    use crate::TriggerId;

    fn ask(cron: &str, zone: &str, others: &[Neighbour]) -> CronPreview {
        let what = CronQuestion {
            cron: cron.into(),
            zone: Some(zone.into()),
            trigger_id: Some(TriggerId(9)),
        };
        let now = Timestamp::parse("2026-11-22T04:00:00Z").unwrap();
        preview(&what, now, &Crowd::of(others)).unwrap()
    }

    fn other(id: i64, name: &str, cron: &str, zone: &str) -> Neighbour {
        Neighbour {
            id: TriggerId(id),
            name: name.into(),
            cron: cron.into(),
            zone: zone.into(),
            from: None,
            until: None,
        }
    }

    #[test]
    fn each_hour_of_a_week_comes_once() {
        let all = ask("* * * * *", "Europe/Berlin", &[]);
        assert_eq!(all.week.len(), 168);
        assert_eq!(all.week.iter().map(|h| h.firings).sum::<u32>(), 7 * 1_440);
        // It is 05:00 on a Sunday there; the hour of now is this Sunday's, those before it the next one's.
        let nightly = ask("30 2,5 * * 6,7", "Europe/Berlin", &[]);
        let hours: Vec<_> = nightly.week.iter().map(|h| (h.day, h.hour)).collect();
        assert_eq!(hours, [(6, 5), (5, 2), (5, 5), (6, 2)]);
    }

    #[test]
    fn others_that_fire_at_the_same_instant_are_named_whatever_their_zone() {
        let others = [
            other(1, "nightly", "30 2 * * *", "Europe/Berlin"),
            other(2, "backup", "30 1 * * MON", "UTC"),
            other(3, "later", "30 2 * * *", "UTC"),
            other(4, "heartbeat", "* * * * *", "UTC"),
            other(5, "broken", "61 * * * *", "UTC"),
            Neighbour {
                until: Timestamp::parse("2026-11-23T00:00:00Z"),
                ..other(6, "over", "30 2 * * *", "Europe/Berlin")
            },
            other(9, "itself", "30 2 * * *", "Europe/Berlin"),
        ];
        let found = ask("30 2 * * *", "Europe/Berlin", &others).together.unwrap();
        // nightly each of ten times; both on Mondays.
        assert_eq!(
            (found.names, found.times),
            (vec!["nightly".to_owned(), "backup".to_owned()], 10)
        );
        assert_eq!(found.local, "2026-11-23 02:30");
        assert_eq!(ask("31 2 * * *", "Europe/Berlin", &others).together, None);
        assert_eq!(
            ask("*/2 * * * *", "UTC", &others).together,
            None,
            "who fires all day long meets everybody"
        );
    }

    #[test]
    fn what_is_wrong_is_told_as_of_the_schedule() {
        let what = CronQuestion {
            cron: "61 2 * * *".into(),
            zone: None,
            trigger_id: None,
        };
        let Err(Error::Invalid { problems, .. }) = preview(&what, Timestamp(0), &Crowd::default()) else {
            panic!("61 is no minute");
        };
        assert_eq!((problems[0].path.as_str(), problems[0].column), ("cron", Some(1)));
    }
}
