//! Names and labels of what is ours on an engine (DESIGN §8).
//!
//! **Invariant:** labels say whose a thing is for as long as it exists; a name says which attempt it serves.

use crate::executor::SessionSpec;
use domain::{AgentId, AttemptId};
use std::collections::HashMap;

/// Label: the installation a thing belongs to.
pub const SERVER: &str = "caracal.server";
/// Label: the agent.
pub const AGENT: &str = "caracal.agent";
/// Label: the slot.
pub const SLOT: &str = "caracal.slot";
/// Label of an attached container: the attempt it serves.
pub(super) const ATTEMPT: &str = "caracal.attempt";
/// Label of an attached container: the step it runs.
pub(super) const STEP: &str = "caracal.step";
/// Label of an attached container: which life of the engine it was made in (see `life`).
pub(super) const LIFE: &str = "caracal.life";

/// Whose things they are. Two agents on one engine never share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The installation: unique on earth, so that servers that share an engine leave each other alone.
    pub server: String,
    /// The agent.
    pub agent: AgentId,
}

impl Owner {
    /// Labels of a thing of a slot.
    pub(super) fn labels(&self, slot: usize) -> HashMap<String, String> {
        HashMap::from([
            (SERVER.to_owned(), self.server.clone()),
            (AGENT.to_owned(), self.agent.to_string()),
            (SLOT.to_owned(), slot.to_string()),
        ])
    }

    /// The engine's filter for all that is this owner's.
    pub(super) fn filter(&self) -> HashMap<String, Vec<String>> {
        let labels = vec![format!("{SERVER}={}", self.server), format!("{AGENT}={}", self.agent)];
        HashMap::from([("label".to_owned(), labels)])
    }

    /// The engine's filter for the attached containers of an attempt.
    pub(super) fn attempt(&self, attempt: AttemptId) -> HashMap<String, Vec<String>> {
        let mut filter = self.filter();
        filter
            .entry("label".into())
            .or_default()
            .push(format!("{ATTEMPT}={attempt}"));
        filter
    }

    /// Name of a slot's network.
    pub(super) fn network(&self, slot: usize) -> String {
        format!("caracal-{}-{}-slot-{slot}", self.server, self.agent)
    }

    /// Name of the container of an attempt.
    pub(super) fn job(&self, spec: &SessionSpec) -> String {
        format!("caracal-{}-{}-{}", spec.task, spec.job, spec.number)
    }

    /// Name of the container of an attempt's nth step, where each has its own.
    pub(super) fn container(&self, spec: &SessionSpec, nth: u32) -> String {
        format!("caracal-{}-{}-{}-{nth}", spec.task, spec.job, spec.number)
    }

    /// The same where another server on the same engine has that name.
    pub(super) fn other_container(&self, spec: &SessionSpec, nth: u32) -> String {
        format!("{}-of-{}", self.container(spec, nth), self.server)
    }
}
