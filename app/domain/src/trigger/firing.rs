//! Firings: one evaluation of a trigger each, with all that decided it.
//!
//! **Invariant:** what a firing says of its rules is what they were and what they saw then, whatever the trigger is now.

use super::{DeliveryView, Kind};
use crate::status::TaskStatus;
use crate::{DeliveryId, FiringId, PlanId, TaskId, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};

/// What came of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It started a task.
    Started,
    /// It waits for its last task to end.
    Held,
    /// It started nothing, as configured.
    Nothing,
    /// It should have started something and could not.
    Error,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Started, Self::Held, Self::Nothing, Self::Error];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Held => "held",
            Self::Nothing => "nothing",
            Self::Error => "error",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = crate::status::UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|k| k.as_str() == s);
        found.ok_or_else(|| crate::status::UnknownWord(s.into()))
    }
}

/// Why a trigger fired.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cause {
    /// In words, without an end: `Push to main`.
    pub title: String,
    /// What happened, as rules name it; absent for crons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The branch it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The tag it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The commit it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Its message, the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The repository, as `group/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The person who fired it by hand, or replayed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The task that ended, of upstream triggers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// How many times were missed and are made good by this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

/// A rule and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Asked {
    /// The rule.
    pub rule: String,
    /// Whether it held.
    pub holds: bool,
    /// Why, without an end: "branch `x` does not match `release/*`".
    pub why: String,
    /// The values that were looked at, as far as they are shown.
    pub found: Vec<String>,
}

/// Something that the trigger set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Setting {
    /// `branch`, `revision`, `priority`, `parameters.level`.
    pub name: String,
    /// To what.
    pub value: String,
}

/// How it was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evaluation {
    /// The rules, all of them, in order.
    pub rules: Vec<Asked>,
    /// What it set.
    pub set: Vec<Setting>,
    /// Microseconds it took.
    pub took_us: u64,
}

/// A task that a firing started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartedTask {
    /// Its id.
    pub id: TaskId,
    /// Its state.
    pub status: TaskStatus,
    /// How long it ran, milliseconds, once it has ended.
    pub took_ms: Option<i64>,
}

/// A firing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FiringView {
    /// Its id.
    pub id: FiringId,
    /// The trigger.
    pub trigger_id: TriggerId,
    /// The trigger's name.
    pub trigger: String,
    /// The trigger's kind.
    pub kind: Kind,
    /// The plan that it starts.
    pub plan_id: PlanId,
    /// That plan's name.
    pub plan: String,
    /// When.
    pub at: Timestamp,
    /// For when it was due, of crons.
    pub scheduled_for: Option<Timestamp>,
    /// Why it fired.
    pub cause: Cause,
    /// What came of it.
    pub verdict: Verdict,
    /// Why nothing was started, or what went wrong: one sentence.
    pub reason: Option<String>,
    /// How it was decided.
    pub evaluation: Evaluation,
    /// The tasks it started.
    pub tasks: Vec<StartedTask>,
    /// The delivery, of webhooks.
    pub delivery_id: Option<DeliveryId>,
    /// That delivery, where one firing is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryView>,
    /// The firing that it repeats.
    pub replay_of: Option<FiringId>,
}
