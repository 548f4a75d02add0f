//! Triggers as people and programs see and write them: what makes one fire, what must be true, and what it sets.
//!
//! **Invariant:** a secret goes in and never comes out; a configuration that was read is one that can be saved, but for what
//! only the server knows (whether a plan exists, whether a name is taken).

mod config;
#[cfg(feature = "rules")]
mod decide;
mod firing;
mod hook;
mod known;
mod preview;
mod provider;
mod redact;
#[cfg(test)]
mod tests;
mod tryout;
mod words;

pub use config::{Config, Cron, Generic, Kind, Missed, Overlap, Poll, Seen, Upstream, Webhook};
#[cfg(feature = "rules")]
pub use decide::{Decision, Start, Wanted, decide, problems};
pub use firing::{Asked, Cause, Evaluation, FiringView, Setting, StartedTask, Verdict};
pub use hook::{
    DeliveryView, HookListener, HookView, NewHook, PutHook, ReceivedFiring, ReceivedView, RefusalView, event_name,
    problems as hook_problems,
};
#[cfg(feature = "rules")]
pub use known::check_rules;
pub use known::{KnownFields, RulesCheck, RulesQuestion};
pub use preview::{CronPreview, CronQuestion, Neighbour, Together, Upcoming, WeekHour};
#[cfg(feature = "cron")]
pub use preview::{Crowd, preview};
pub use provider::Provider;
pub use redact::{TAKEN_OUT, redact};
pub use tryout::{Trial, Tried, TryOut};
#[cfg(feature = "rules")]
pub use tryout::{payload_of, try_out};
pub use words::{condition, name_problem};

use crate::secret::SecretValue;
use crate::{FiringId, HookId, PlanId, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most rules of a trigger.
pub const RULES: usize = 20;
/// Most parameters that one sets.
pub const PARAMETERS: usize = 50;

/// A trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerView {
    /// Its id.
    pub id: TriggerId,
    /// Its name, unique in the project.
    pub name: String,
    /// What makes it fire, in words: `On a push to main`.
    pub condition: String,
    /// The plan it starts.
    pub plan_id: PlanId,
    /// That plan's name.
    pub plan: String,
    /// Whether it fires.
    pub enabled: bool,
    /// Its kind, and what that needs to know.
    #[serde(flatten)]
    pub config: Config,
    /// What must all be true of an event, each in the grammar of rules.
    pub rules: Vec<String>,
    /// What its tasks are given, by name. A value may hold `${{ key }}`, a key of rules.
    pub parameters: BTreeMap<String, String>,
    /// Branch of its tasks; the event's, else the plan's, when absent. May hold `${{ key }}`.
    pub branch: Option<String>,
    /// Exact commit of its tasks; the event's, else the branch's head, when absent. May hold `${{ key }}`.
    pub revision: Option<String>,
    /// Priority of its tasks, −100 to 100.
    pub priority: i64,
    /// Where deliveries go, of webhooks.
    pub url: Option<String>,
    /// When it fires next, of crons and polls that are on.
    pub next_fire_at: Option<Timestamp>,
    /// Its newest firing.
    pub last_firing: Option<LastFiring>,
    /// How it is.
    pub health: Health,
    /// When it was made.
    pub created_at: Timestamp,
    /// Rises with each save; name it when you save.
    pub version: i64,
}

/// A firing in few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastFiring {
    /// Its id.
    pub id: FiringId,
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub verdict: Verdict,
    /// Why nothing was started, or what went wrong.
    pub reason: Option<String>,
    /// The first task it started.
    pub task: Option<StartedTask>,
}

/// How a trigger is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `well`, `unwell`, `waiting` (for its first delivery, look or firing), `off`.
    pub state: HealthState,
    /// In words: `last delivery`, `the host does not answer`.
    pub said: String,
    /// Since when, or when that was.
    pub at: Option<Timestamp>,
}

/// The state of a health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// As it should be.
    Well,
    /// Somebody should look.
    Unwell,
    /// Nothing has happened yet.
    Waiting,
    /// Switched off.
    Off,
}

/// A trigger to be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTrigger {
    /// Its name.
    pub name: String,
    /// `poll`, `cron`, `webhook` or `upstream`.
    pub kind: Kind,
    /// The plan it starts.
    pub plan_id: PlanId,
    /// Whether it fires; true when absent.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// What its kind needs to know.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub config: serde_json::Value,
    /// What must all be true of an event.
    #[serde(default)]
    pub rules: Vec<String>,
    /// What its tasks are given.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Branch of its tasks.
    #[serde(default)]
    pub branch: Option<String>,
    /// Exact commit of its tasks.
    #[serde(default)]
    pub revision: Option<String>,
    /// Priority of its tasks; 0 when absent.
    #[serde(default)]
    pub priority: Option<i64>,
}

/// A save of a trigger: all of it, under the version that was read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PutTrigger {
    /// The version it was read at; a stale one is refused with 409.
    pub version: i64,
    /// Its name; unchanged when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The plan it starts; unchanged when absent.
    #[serde(default)]
    pub plan_id: Option<PlanId>,
    /// Whether it fires; unchanged when absent.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// What its kind needs to know; unchanged when absent. The kind itself stays.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub config: Option<serde_json::Value>,
    /// What must all be true of an event; unchanged when absent.
    #[serde(default)]
    pub rules: Option<Vec<String>>,
    /// What its tasks are given; unchanged when absent.
    #[serde(default)]
    pub parameters: Option<BTreeMap<String, String>>,
    /// Branch of its tasks; unchanged when absent, none when empty.
    #[serde(default)]
    pub branch: Option<String>,
    /// Exact commit of its tasks; unchanged when absent, none when empty.
    #[serde(default)]
    pub revision: Option<String>,
    /// Priority of its tasks; unchanged when absent.
    #[serde(default)]
    pub priority: Option<i64>,
}

/// Which triggers are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerQuery {
    /// Of these kinds; any when empty.
    pub kinds: Vec<Kind>,
    /// Of this plan.
    pub plan: Option<PlanId>,
    /// With this text in the name or the plan's.
    pub text: Option<String>,
    /// Unwell ones alone.
    pub unwell: bool,
}

/// How many triggers there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// On.
    pub on: i64,
    /// Off.
    pub off: i64,
    /// On and unwell.
    pub unwell: i64,
    /// By kind, on or off.
    pub kinds: BTreeMap<String, i64>,
}

/// A day of a trigger: how often it did what. Days are counted from 1970 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The day.
    pub day: i64,
    /// Tasks that passed, or have not ended.
    pub good: u32,
    /// Tasks that did not pass, and firings that went wrong.
    pub bad: u32,
    /// Firings that started nothing.
    pub nothing: u32,
}

/// What a look at a remote found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checked {
    /// Whether it could be looked at.
    pub good: bool,
    /// What was found, or why nothing could be.
    pub said: String,
    /// What was fired for it.
    pub firings: Vec<FiringId>,
}

/// A secret that was made for somebody, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ShownOnce(pub String);

/// A trigger just made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MadeTrigger {
    /// Itself.
    #[serde(flatten)]
    pub trigger: TriggerView,
    /// The secret of the hook that was made with it, when none was given: hand it to the sender, it is not shown again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<ShownOnce>,
}

/// The id of a hook that a configuration names, or what a hook of its own is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookWish {
    /// One that is there.
    There(HookId),
    /// One of its own, with this secret or a fresh one.
    Own(Option<SecretValue>),
}
