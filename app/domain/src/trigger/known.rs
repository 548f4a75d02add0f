//! Which fields deliveries had, and what that says of rules that are being written.
//!
//! **Invariant:** a warning is true of what was looked at, and says what that was; it never keeps anybody from saving.

#[cfg(feature = "rules")]
mod judge;

#[cfg(feature = "rules")]
pub use judge::check_rules;
#[cfg(feature = "rules")]
pub(super) use judge::warnings;

use crate::{HookId, Problem, TriggerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The fields that deliveries of a hook had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFields {
    /// How many deliveries were looked at.
    pub deliveries: u32,
    /// Whether those were all that ever came.
    pub all: bool,
    /// Keys of rules that had a value, as `branch` and `payload.sender.login`.
    pub names: BTreeSet<String>,
    /// Whether there were more than could be remembered: then nothing is said of what is not there.
    pub full: bool,
}

/// What is asked of rules that are being written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RulesQuestion {
    /// The rules.
    pub rules: Vec<String>,
    /// The hook whose deliveries they will be asked about; else the one of `trigger_id`.
    #[serde(default)]
    pub hook_id: Option<HookId>,
    /// The trigger that they are for.
    #[serde(default)]
    pub trigger_id: Option<TriggerId>,
}

/// What there is to say of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RulesCheck {
    /// What keeps them from being saved, each at `rules[n]` and its column.
    pub problems: Vec<Problem>,
    /// What is probably not meant: they can be saved all the same.
    pub warnings: Vec<Problem>,
}
