//! How what the ports answer is told to the pages: rows, the next time in its own zone, a payload as people read it.
//!
//! **Invariant:** nothing is decided here; a time that is told is one that a port gave.

use crate::context::Visit;
use crate::error::Result;
use crate::pages::triggers::view::{Band, Busy, FiringRow, Next, TriggerRow};
use domain::auth::Viewer;
use domain::cron::Schedule;
use domain::page::{Page, PageQuery};
use domain::trigger::{Config, Cron, Crowd, FiringView, Kind, TriggerQuery, TriggerView};
use domain::{PlanId, Timestamp, TriggerId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Most lines of a payload that are sent to a page.
const LINES: usize = 1_000;
/// Most characters of them.
const CHARS: usize = 64 * 1_024;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Most times that are worked out for the picture of the next day.
const DRAWN: usize = 3_000;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The page that a cursor in the address asks for.
pub fn page(cursor: String, limit: u32) -> PageQuery {
    PageQuery {
        limit: Some(limit),
        cursor: Some(cursor).filter(|c| !c.is_empty()),
    }
}

/// The soonest time of the schedules among these.
pub fn soonest(all: &[TriggerView]) -> Option<Timestamp> {
    let crons = all.iter().filter(|t| matches!(t.config, Config::Cron(_)));
    crons.filter_map(|t| t.next_fire_at).min()
}

/// The triggers with schedules; `None` where there are more than can be asked for at once.
pub async fn crons(visit: &Visit, viewer: &Viewer) -> Result<Option<Vec<TriggerView>>> {
    let query = TriggerQuery {
        kinds: vec![Kind::Cron],
        ..TriggerQuery::default()
    };
    let crons = visit
        .ports
        .triggers
        .list(viewer, query, page(String::new(), PageQuery::MAX))
        .await
        .map_err(crate::Error::respond)?;
    Ok(Some(crons.items).filter(|_| crons.next_cursor.is_none()))
}

/// What schedules will do in the next 24 hours; `None` where that is nothing, or too much to be drawn.
pub fn band(crons: &[TriggerView], now: Timestamp) -> Option<Band> {
    let end = now.plus(DAY);
    let mut times: BTreeMap<Timestamp, Vec<String>> = BTreeMap::new();
    let (mut left, mut busy) = (DRAWN, Vec::new());
    for t in crons {
        let (Config::Cron(cron), Some(first)) = (&t.config, t.next_fire_at) else {
            continue;
        };
        let Ok(schedule) = Schedule::parse(&cron.cron, &cron.zone, t.id.0) else {
            continue;
        };
        let last = cron.until.map_or(end, |until| until.min(end));
        if Crowd::is_busy(&schedule) {
            let spans = spans(&schedule, now, last);
            if !spans.is_empty() {
                busy.push(Busy {
                    id: t.id,
                    name: t.name.clone(),
                    words: schedule.sentence().trim_end_matches('.').to_owned(),
                    spans,
                });
            }
            continue;
        }
        let mut next = Some(first.max(now));
        while let Some(at) = next.filter(|at| *at <= last) {
            left = left.checked_sub(1)?;
            times.entry(at).or_default().push(t.name.clone());
            next = schedule.after(at);
        }
    }
    let together = times.iter().filter(|(_, names)| names.len() > 1);
    let together = together
        .max_by_key(|(at, names)| (names.len(), Reverse(**at)))
        .map(|(at, names)| (*at, names.clone()));
    let mut marks: BTreeMap<u32, u32> = BTreeMap::new();
    for (at, names) in &times {
        *marks.entry(slot(*at, now)).or_default() += u32::try_from(names.len()).unwrap_or(u32::MAX);
    }
    (!marks.is_empty() || !busy.is_empty()).then(|| Band {
        from: now,
        firings: marks.values().sum(),
        marks: marks.into_iter().collect(),
        together,
        busy,
    })
}

/// The part of the day that an instant is in.
fn slot(at: Timestamp, now: Timestamp) -> u32 {
    let slot = at.since(now) / (DAY / i64::from(Band::SLOTS));
    u32::try_from(slot).unwrap_or(0).min(Band::SLOTS - 1)
}

/// The parts of the day in which a schedule fires every hour.
fn spans(schedule: &Schedule, now: Timestamp, last: Timestamp) -> Vec<(u32, u32)> {
    const HOUR: u32 = Band::SLOTS / 24;
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for hour in schedule.hours(now, last) {
        let first = slot(hour.first, now);
        // To the end of that hour of the clock.
        let into = u32::try_from(hour.first.0.rem_euclid(3_600_000) / 300_000).unwrap_or(0);
        let end = (first + HOUR - 1 - into.min(HOUR - 1)).min(Band::SLOTS - 1);
        match spans.last_mut() {
            Some(span) if first <= span.1 + HOUR => span.1 = end,
            _ => spans.push((first, end)),
        }
    }
    spans
}

/// Triggers as rows.
pub async fn rows(visit: &Visit, viewer: &Viewer, found: Page<TriggerView>) -> Result<Page<TriggerRow>> {
    let ids = found.items.iter().map(|t| t.id).collect();
    let days = visit
        .ports
        .triggers
        .days(viewer, ids)
        .await
        .map_err(crate::Error::respond)?;
    let names = names(visit, viewer, &found.items).await;
    let items = found
        .items
        .into_iter()
        .zip(days)
        .map(|(t, days)| TriggerRow {
            next: next(&t, &names),
            id: t.id,
            name: t.name,
            condition: t.condition,
            kind: t.config.kind(),
            plan_id: t.plan_id,
            plan: t.plan,
            enabled: t.enabled,
            last: t.last_firing,
            health: t.health,
            days,
        })
        .collect();
    Ok(Page {
        items,
        next_cursor: found.next_cursor,
    })
}

/// The names of the plans that upstream triggers wait for; one that is gone has none.
async fn names(visit: &Visit, viewer: &Viewer, all: &[TriggerView]) -> HashMap<PlanId, String> {
    let mut names = HashMap::new();
    for t in all {
        let Config::Upstream(up) = &t.config else { continue };
        for id in &up.plans {
            if !names.contains_key(id)
                && let Ok(plan) = visit.ports.plans.get(viewer, *id).await
            {
                names.insert(*id, plan.summary.name);
            }
        }
    }
    names
}

fn next(t: &TriggerView, names: &HashMap<PlanId, String>) -> Next {
    if !t.enabled {
        return Next::Off;
    }
    match &t.config {
        Config::Webhook(_) => Next::Delivery,
        Config::Cron(cron) => match t.next_fire_at {
            Some(at) => Next::Time {
                at,
                local: local(cron, t.id, at),
                zone: cron.zone.clone(),
            },
            None => Next::Never,
        },
        Config::Poll(poll) => Next::Look {
            at: t.next_fire_at,
            every: poll.every_ms(),
        },
        Config::Upstream(up) => {
            let named = |id: &PlanId| (*id, names.get(id).cloned().unwrap_or_else(|| format!("plan {id}")));
            Next::After(up.plans.iter().map(named).collect())
        }
    }
}

/// What clocks of the schedule's zone show at one of its times.
fn local(cron: &Cron, id: TriggerId, at: Timestamp) -> Option<String> {
    let schedule = Schedule::parse(&cron.cron, &cron.zone, id.0).ok()?;
    let firing = schedule.upcoming(at.plus(-1), 1).pop().filter(|f| f.at == at)?;
    civil(&firing.local)
}

/// `2026-11-28 02:30` as `Sat 28 Nov, 02:30`.
fn civil(local: &str) -> Option<String> {
    let (date, clock) = local.split_once(' ')?;
    let at = Timestamp::parse(&format!("{date}T00:00:00Z"))?;
    let c = at.civil();
    let day = DAYS[usize::try_from(at.0.div_euclid(DAY).rem_euclid(7)).ok()?];
    Some(format!(
        "{day} {} {}, {clock}",
        c.day,
        MONTHS[(c.month as usize + 11) % 12]
    ))
}

/// Firings as rows.
pub fn firings(found: Page<FiringView>) -> Page<FiringRow> {
    let row = |f: FiringView| FiringRow {
        id: f.id,
        trigger_id: f.trigger_id,
        trigger: f.trigger,
        kind: f.kind,
        plan: f.plan,
        at: f.at,
        title: f.cause.title,
        by: f.cause.by.or(f.cause.author),
        verdict: f.verdict,
        reason: f.reason,
        tasks: f.tasks,
        replay_of: f.replay_of,
    };
    Page {
        items: found.items.into_iter().map(row).collect(),
        next_cursor: found.next_cursor,
    }
}

/// A payload over several lines, and how many of them are left out.
pub fn pretty(payload: &serde_json::Value) -> (String, u32) {
    let all = serde_json::to_string_pretty(payload).unwrap_or_default();
    let mut shown = String::new();
    let mut lines = all.lines().enumerate();
    for (taken, line) in lines.by_ref() {
        if taken == LINES || shown.len() + line.len() > CHARS && taken > 0 {
            return (shown, 1 + u32::try_from(lines.count()).unwrap_or(u32::MAX - 1));
        }
        if taken > 0 {
            shown.push('\n');
        }
        shown.extend(line.chars().take(CHARS));
    }
    (shown, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_is_told_by_the_clocks_of_its_zone() {
        let cron = Cron {
            cron: "30 2 * * *".into(),
            zone: "Europe/Berlin".into(),
            ..Cron::default()
        };
        let at = Timestamp::parse("2026-11-28T01:30:00Z").unwrap();
        assert_eq!(local(&cron, TriggerId(1), at).as_deref(), Some("Sat 28 Nov, 02:30"));
        assert_eq!(
            local(&cron, TriggerId(1), at.plus(60_000)),
            None,
            "no time of its own is told as one"
        );
        assert_eq!(civil("1970-01-01 00:00").as_deref(), Some("Thu 1 Jan, 00:00"));
    }

    fn cron(name: &str, expression: &str, next: Timestamp) -> TriggerView {
        let config = Cron {
            cron: expression.into(),
            zone: "UTC".into(),
            ..Cron::default()
        };
        TriggerView {
            id: TriggerId(1),
            name: name.into(),
            condition: String::new(),
            plan_id: PlanId(1),
            plan: "app".into(),
            enabled: true,
            config: Config::Cron(config),
            rules: vec![],
            parameters: BTreeMap::new(),
            branch: None,
            revision: None,
            priority: 0,
            url: None,
            next_fire_at: Some(next),
            last_firing: None,
            health: domain::trigger::Health {
                state: domain::trigger::HealthState::Well,
                said: "on time".into(),
                at: None,
            },
            created_at: Timestamp(0),
            version: 1,
        }
    }

    #[test]
    fn the_next_day_is_drawn_from_the_times_that_will_come() {
        let at = |text| Timestamp::parse(text).unwrap();
        let now = at("2026-11-22T02:00:00Z");
        let all = [
            cron("nightly", "30 2 * * *", at("2026-11-22T02:30:00Z")),
            cron("hourly", "30 * * * *", at("2026-11-22T02:30:00Z")),
        ];
        let drawn = band(&all, now).unwrap();
        assert_eq!((drawn.firings, drawn.marks.len()), (25, 24));
        assert_eq!(drawn.marks[..2], [(6, 2), (18, 1)]);
        let together = (
            at("2026-11-22T02:30:00Z"),
            vec!["nightly".to_owned(), "hourly".to_owned()],
        );
        assert_eq!(drawn.together, Some(together));
        let late = cron("later", "30 2 1 1 *", at("2027-01-01T02:30:00Z"));
        assert_eq!(band(&[late], now), None, "nothing comes");
        let often = cron("often", "* * * * *", at("2026-11-22T02:01:00Z"));
        let work = cron("work", "*/10 8-17 * * *", at("2026-11-22T08:00:00Z"));
        let drawn = band(&[often, work], now).unwrap();
        assert_eq!((drawn.firings, drawn.marks, drawn.together), (0, vec![], None));
        let told: Vec<_> = drawn.busy.iter().map(|b| (b.words.as_str(), &b.spans[..])).collect();
        // From 02:00 on: 08:00 is 72 parts later, 18:00 is 192.
        assert_eq!(told, [("Every minute", &[(0, 287)][..]), (told[1].0, &[(72, 191)][..])]);
        let many: Vec<_> = (0..80)
            .map(|_| cron("x", "0,30 0-22 * * *", at("2026-11-22T02:30:00Z")))
            .collect();
        assert_eq!(band(&many, now), None, "too much comes");
    }

    #[test]
    fn of_a_long_payload_the_first_lines_are_shown_and_the_others_counted() {
        assert_eq!(pretty(&json!({ "a": [1] })), ("{\n  \"a\": [\n    1\n  ]\n}".into(), 0));
        let (shown, more) = pretty(&json!((0..5_000).collect::<Vec<_>>()));
        assert_eq!((shown.lines().count(), more), (1_000, 4_002));
        let (shown, more) = pretty(&json!(["x".repeat(40_000), "y".repeat(40_000), 1]));
        assert_eq!((shown.lines().count(), more), (2, 3));
        let (shown, more) = pretty(&json!("é".repeat(100_000)));
        assert_eq!((shown.chars().count(), more), (CHARS, 0));
    }
}
