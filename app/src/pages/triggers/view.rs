//! What the pages of triggers are given to show.
//!
//! **Invariant:** each is read at one instant; `seq` is the event number before which that was.

use domain::page::Page;
use domain::trigger::{Counts, Day, FiringView, Health, HookView, Kind, LastFiring, StartedTask, TriggerView, Verdict};
use domain::{FiringId, PlanId, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};

/// When a trigger fires next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// It is switched off.
    Off,
    /// When somebody delivers.
    Delivery,
    /// At a time of a schedule.
    Time {
        /// When.
        at: Timestamp,
        /// What clocks of its zone show then, as `Sat 28 Nov, 02:30`.
        local: Option<String>,
        /// That zone.
        zone: String,
    },
    /// When it looks and finds something.
    Look {
        /// When it looks; absent before that is known.
        at: Option<Timestamp>,
        /// Milliseconds between two looks.
        every: Option<i64>,
    },
    /// When tasks of these plans have ended.
    After(Vec<(PlanId, String)>),
    /// Its schedule has no more times.
    Never,
}

/// A trigger in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerRow {
    /// Its id.
    pub id: TriggerId,
    /// Its name.
    pub name: String,
    /// What makes it fire, in words.
    pub condition: String,
    /// Its kind.
    pub kind: Kind,
    /// The plan it starts.
    pub plan_id: PlanId,
    /// That plan's name.
    pub plan: String,
    /// Whether it fires.
    pub enabled: bool,
    /// When it fires next.
    pub next: Next,
    /// Its newest firing.
    pub last: Option<LastFiring>,
    /// How it is.
    pub health: Health,
    /// What it did on each of the last 30 days.
    pub days: Vec<Day>,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggersView {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// A page of triggers, newest first.
    pub triggers: Page<TriggerRow>,
    /// How many there are of each kind.
    pub counts: Counts,
    /// When the next schedule is due.
    pub next: Option<Timestamp>,
    /// What schedules will do in the next 24 hours.
    pub band: Option<Band>,
}

/// What schedules will do in the next 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Band {
    /// Where it begins.
    pub from: Timestamp,
    /// How many firings there will be, but for those of `busy`.
    pub firings: u32,
    /// Parts of the day in which something fires, and how often: see `SLOTS`.
    pub marks: Vec<(u32, u32)>,
    /// When most triggers fire at the same time, and their names; two at least, none of `busy`.
    pub together: Option<(Timestamp, Vec<String>)>,
    /// Those that fire all day long: drawn as lines.
    pub busy: Vec<Busy>,
}

/// A schedule that fires half-hourly or more often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// Its trigger.
    pub id: TriggerId,
    /// That trigger's name.
    pub name: String,
    /// When it fires, in words: `Every 5 minutes`.
    pub words: String,
    /// Parts of the day in which it does, first and last, as of `marks`.
    pub spans: Vec<(u32, u32)>,
}

impl Band {
    /// Parts of the day: of five minutes each.
    pub const SLOTS: u32 = 288;
}

/// The triggers of one plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanTriggers {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// Newest first, at most 50.
    pub triggers: Vec<TriggerRow>,
}

/// A firing in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiringRow {
    /// Its id.
    pub id: FiringId,
    /// The trigger.
    pub trigger_id: TriggerId,
    /// The trigger's name.
    pub trigger: String,
    /// The trigger's kind.
    pub kind: Kind,
    /// The plan it starts.
    pub plan: String,
    /// When.
    pub at: Timestamp,
    /// Why it fired.
    pub title: String,
    /// Who did what it is about, or fired it by hand.
    pub by: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// Why nothing was started, or what went wrong.
    pub reason: Option<String>,
    /// The tasks it started.
    pub tasks: Vec<StartedTask>,
    /// The firing that it repeats.
    pub replay_of: Option<FiringId>,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerPage {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// As a row shows it.
    pub row: TriggerRow,
    /// All that is set.
    pub trigger: TriggerView,
    /// The hook it listens to, of webhooks.
    pub hook: Option<HookView>,
    /// The name of the repository it looks at, of polls of one.
    pub repository: Option<String>,
    /// A page of its firings, newest first.
    pub firings: Page<FiringRow>,
}

/// Firings of all triggers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FiringsView {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// A page of them, newest first.
    pub firings: Page<FiringRow>,
}

/// One firing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FiringPage {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The firing; its delivery is without the payload.
    pub firing: FiringView,
    /// The payload, as it is read by people: its first lines.
    pub payload: Option<String>,
    /// How many more lines it has.
    pub more: u32,
}

#[cfg(test)]
mod tests {
    use crate::wire::json;
    use domain::trigger::TriggerView;
    use serde_json::json;

    /// The browser's own reader takes what the server writes of each kind.
    #[test]
    fn triggers_of_every_kind_can_be_read_in_the_browser() {
        for (kind, config) in [
            (
                "webhook",
                json!({ "hook_id": 3, "provider": "generic", "signing": { "hmac": "X-Sig" } }),
            ),
            (
                "cron",
                json!({ "cron": "H 2 * * *", "zone": "Europe/Berlin", "missed": "all", "most": 3, "until": "2026-11-28T01:30:00.000Z" }),
            ),
            (
                "poll",
                json!({ "git": "https://git.example.org/a/b.git", "branches": ["main"], "commits": "each", "every": "5m" }),
            ),
            (
                "upstream",
                json!({ "plans": [1, 2], "results": ["failed"], "branch": "main" }),
            ),
        ] {
            let value = json!({
                "id": 7, "name": "a", "condition": "On a push", "plan_id": 1, "plan": "app", "enabled": true, "kind": kind,
                "config": config, "rules": ["branch == main"], "parameters": { "a": "b" }, "branch": null, "revision": null,
                "priority": -5, "url": null, "next_fire_at": "2026-11-28T01:30:00.000Z", "last_firing": null,
                "health": { "state": "well", "said": "on time", "at": null }, "created_at": "2026-11-28T01:30:00.000Z", "version": 2,
            });
            let wanted: TriggerView = serde_json::from_value(value).unwrap();
            let sent = serde_json::to_string(&wanted).unwrap();
            assert_eq!(json::read::<TriggerView>(&sent).unwrap(), wanted, "{kind}");
        }
    }
}
