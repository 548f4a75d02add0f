//! Times of cron triggers: when one is due, and what becomes of times that were missed.
//!
//! **Invariant:** an instant is one firing at most, whatever clocks do; where a trigger stands moves in the write that
//! fires it.

use super::start::{Decided, Fired, Occasion, Starter, judged, placed, write};
use crate::store::tasks::Runnable;
use crate::store::triggers::{Moved, Trigger, moved};
use crate::store::{Result, triggers};
use domain::cron::Schedule;
use domain::time::human_duration;
use domain::trigger::{Cause, Config, Cron, HealthState, Kind, Missed, Verdict};
use domain::webhook::Event;
use domain::{Timestamp, TriggerId};

/// As late as this a firing is in time: servers restart, loops take their turn.
const LATE_MS: i64 = 60_000;
/// Triggers that are taken at once.
const AT_ONCE: i64 = 200;
/// Most times that are made good.
const MOST: usize = 100;

/// When a trigger is due after this instant; `None` for never.
pub(crate) fn next(cron: &Cron, id: TriggerId, after: Timestamp) -> Option<Timestamp> {
    let schedule = Schedule::parse(&cron.cron, &cron.zone, id.0).ok()?;
    within(cron, &schedule, after)
}

fn within(cron: &Cron, schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    // The first instant itself counts.
    let from = cron.from.map_or(after, |from| from.plus(-1).max(after));
    schedule
        .after(from)
        .filter(|at| cron.until.is_none_or(|until| *at <= until))
}

impl Starter {
    /// Fires all crons that are due; answers how many were.
    pub(crate) async fn crons(&self) -> Result<usize> {
        let now = self.clock.now();
        let due = triggers::due(&self.store, Kind::Cron, now, AT_ONCE).await?;
        if due.is_empty() || self.space.refusal().is_some() {
            // What would be started has no room: it is due until there is some.
            return Ok(0);
        }
        let plans = self.plans(&due).await?;
        for trigger in &due {
            self.cron(trigger, plans.get(&trigger.plan), now).await?;
        }
        Ok(due.len())
    }

    async fn cron(&self, trigger: &Trigger, plan: Option<&Runnable>, now: Timestamp) -> Result<()> {
        let Config::Cron(cron) = &trigger.config else {
            return Ok(());
        };
        let Some(due) = trigger.next_at else { return Ok(()) };
        let (decided, to) = match Schedule::parse(&cron.cron, &cron.zone, trigger.id.0) {
            Ok(schedule) => turn(trigger, cron, &schedule, plan, due, now),
            Err(problems) => {
                let said = problems.first().map(|p| p.message.clone());
                (Vec::new(), standing(None, HealthState::Unwell, said))
            }
        };
        let (id, version, clock, terms) = (trigger.id, trigger.version, self.clock.clone(), self.terms.clone());
        let (fired, effects) = self
            .store
            .write(move |tx| {
                let (decided, to, terms, now) = (decided.clone(), to.clone(), terms.clone(), clock.now());
                Box::pin(async move {
                    if !moved(tx, id, version, &to, now).await? {
                        // Somebody saved it: it is read again.
                        return Ok((Vec::new(), Vec::new()));
                    }
                    let (mut fired, mut effects) = (Vec::<Fired>::new(), Vec::new());
                    for one in &decided {
                        fired.push(write(tx, one, &mut effects, now).await?);
                    }
                    effects.extend(placed(tx, &fired, &terms, now).await?);
                    Ok((fired, effects))
                })
            })
            .await?;
        self.follow(&fired, effects);
        Ok(())
    }
}

fn standing(next_at: Option<Timestamp>, health: HealthState, said: Option<String>) -> Moved {
    Moved {
        cursor: None,
        next_at,
        health,
        said,
    }
}

/// What a due trigger does: its firings, and where it stands then.
fn turn(
    trigger: &Trigger,
    cron: &Cron,
    schedule: &Schedule,
    plan: Option<&Runnable>,
    due: Timestamp,
    now: Timestamp,
) -> (Vec<Decided>, Moved) {
    let kept = match cron.missed {
        Missed::All => (cron.most as usize).min(MOST),
        Missed::Once | Missed::Skip => 1,
    };
    let last = cron.until.map_or(now, |until| until.min(now));
    let (times, count) = schedule.missed(due.plus(-1), last, kept);
    let on_time = times.last().is_some_and(|t| now.since(*t) <= LATE_MS);
    let fire = |at: Timestamp, missed: Option<usize>| judged(trigger, plan, occasion(schedule, at, missed));
    let next_at = within(cron, schedule, now);
    let Some(newest) = times.last().copied() else {
        return (Vec::new(), standing(next_at, HealthState::Well, None));
    };
    // Those before one that is in time, or all when none is.
    let lost = count - usize::from(on_time);
    let decided = match cron.missed {
        _ if lost == 0 => vec![fire(newest, None)],
        Missed::All => times.iter().map(|t| fire(*t, None)).collect(),
        Missed::Once => vec![fire(newest, Some(count))],
        Missed::Skip if on_time => vec![fire(newest, None)],
        Missed::Skip => vec![Decided::nothing(
            trigger,
            occasion(schedule, newest, Some(count)),
            Verdict::Nothing,
            skipped(count, newest, now),
        )],
    };
    let said = match lost {
        0 => None,
        _ if count == 1 => Some(format!("{} late", human_duration(now.since(newest)))),
        n => Some(format!("{n} times were missed")),
    };
    let health = if lost > 0 {
        HealthState::Unwell
    } else {
        HealthState::Well
    };
    (decided, standing(next_at, health, said))
}

fn skipped(count: usize, newest: Timestamp, now: Timestamp) -> String {
    let late = human_duration(now.since(newest));
    let others = match count - 1 {
        0 => String::new(),
        n => format!(", and {n} before it"),
    };
    format!(
        "Nothing was started, because the server was down at that time{others}; it noticed {late} later, and the trigger skips what was missed."
    )
}

/// The occasion of an instant.
fn occasion(schedule: &Schedule, at: Timestamp, missed: Option<usize>) -> Occasion {
    let title = match missed {
        Some(n) if n > 1 => format!(
            "{}, for {n} times that were missed",
            schedule.sentence().trim_end_matches('.')
        ),
        _ => schedule.sentence().trim_end_matches('.').to_owned(),
    };
    Occasion {
        key: format!("at:{}", at.0),
        scheduled_for: Some(at),
        delivery: None,
        cause: Cause {
            title,
            missed: missed.filter(|n| *n > 1).map(|n| n as u64),
            ..Cause::default()
        },
        event: Event {
            kind: "cron".into(),
            ..Event::default()
        },
        replay_of: None,
        forced: false,
    }
}
