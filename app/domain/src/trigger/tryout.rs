//! Trying rules out: what a trigger would do about an event, with nothing started or saved.
//!
//! **Invariant:** a try says what the server would do with the same words.

#[cfg(feature = "rules")]
mod judge;

#[cfg(feature = "rules")]
pub use judge::{payload_of, try_out};

use super::{Evaluation, KnownFields, Provider, Verdict};
use crate::{DeliveryId, PlanId, Problem, TriggerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is tried.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TryOut {
    /// The plan that would be started.
    #[serde(default)]
    pub plan_id: Option<PlanId>,
    /// What must all be true.
    #[serde(default)]
    pub rules: Vec<String>,
    /// What its tasks would be given.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Their branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// Their exact commit.
    #[serde(default)]
    pub revision: Option<String>,
    /// Whether `[skip ci]` counts for nothing.
    #[serde(default)]
    pub ignore_skip: bool,
    /// A delivery that was taken; else `provider`, `event` and `payload`.
    #[serde(default)]
    pub delivery_id: Option<DeliveryId>,
    /// Who would have sent it.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// What the header says that the payload is, as `push` of GitHub.
    #[serde(default)]
    pub event: Option<String>,
    /// The payload.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub payload: Option<serde_json::Value>,
    /// A trigger: its last deliveries are tried too.
    #[serde(default)]
    pub trigger_id: Option<TriggerId>,
}

/// What would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tried {
    /// What came of it.
    pub verdict: Verdict,
    /// Why nothing would be started, or what would go wrong.
    pub reason: Option<String>,
    /// How it was decided.
    pub evaluation: Evaluation,
    /// Branch that its task would have.
    pub branch: Option<String>,
    /// Commit that its task would have.
    pub revision: Option<String>,
    /// Parameters that its task would have.
    pub parameters: BTreeMap<String, String>,
    /// The fork that it comes from: its task would wait for a member's approval of that commit.
    #[serde(default)]
    pub fork: Option<String>,
    /// Of the last deliveries: how many there are, how many start something now, and how many would.
    pub of_last: Option<[u32; 3]>,
    /// What is probably not meant: a rule on a field that no delivery of the hook ever had, say.
    pub warnings: Vec<Problem>,
}

/// A try with all that is needed to judge it on the spot, as the editor of the browser does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What is tried; `payload` may be absent where `text` is there.
    pub what: TryOut,
    /// The payload as it is written.
    pub text: Option<String>,
    /// The URL of the plan's source, if it has one.
    pub source: Option<String>,
    /// The fields that deliveries of the hook had.
    pub known: Option<KnownFields>,
}
