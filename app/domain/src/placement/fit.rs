//! Whether one agent fits one wish, and in which words it does not.
//!
//! **Invariant:** `misfit` looks only at what an agent is, `hindrance` only at how it stands now; both absent means it
//! takes the job as soon as a slot is free.

use super::{Agent, Wish};
use crate::label::Condition;
use crate::queue::Fit;
use crate::status::{AgentStatus, Availability, ExecutorKind};

/// Why an agent could never run a job with this wish, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit<'a> {
    /// A condition does not hold.
    Label(&'a Condition),
    /// It lacks the executor.
    Executor(ExecutorKind),
    /// It has an engine and is not built in, so that it runs no process steps.
    ProcessBesideEngine,
    /// It offers no executor at all.
    NoExecutor,
}

/// Why an agent that fits takes nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hindrance<'a> {
    Offline,
    Unreachable,
    Draining,
    Paused(Option<&'a str>),
    Engine(&'a str),
    Disk,
}

impl Hindrance<'_> {
    /// Whether it is away; else a person, its disk or its engine keeps it from taking jobs.
    pub(super) fn away(self) -> bool {
        matches!(self, Self::Offline | Self::Unreachable)
    }

    /// After the agent's name: "is paused: “new disk”".
    pub(super) fn phrase(self) -> String {
        match self {
            Self::Offline => "is offline".into(),
            Self::Unreachable => "is unreachable".into(),
            Self::Draining => "is draining".into(),
            Self::Paused(None) => "is paused".into(),
            Self::Paused(Some(note)) => format!("is paused: “{note}”"),
            Self::Disk => "has a full disk".into(),
            Self::Engine(error) => format!("cannot use its Docker engine: {}", error.trim_end_matches('.')),
        }
    }
}

/// Whether a condition holds for an agent; the key `agent` is its name.
pub(super) fn holds(agent: &Agent, condition: &Condition) -> bool {
    if condition.key == "agent" {
        (agent.name == condition.value) == condition.equal
    } else {
        condition.holds(&agent.labels)
    }
}

/// What would run the job there; the second is an engine that is known but does not answer.
fn executor(agent: &Agent, wish: &Wish) -> Result<ExecutorKind, Misfit<'static>> {
    let has = |kind| agent.executors.contains(&kind);
    let docker = has(ExecutorKind::Docker) || agent.engine_error.is_some();
    let wanted = match wish.executor() {
        Some(kind) => kind,
        None => match agent.executors.first() {
            // Processes have no image, and a job never changes its executor by itself.
            Some(ExecutorKind::Process) if wish.image() => ExecutorKind::Docker,
            Some(default) => *default,
            None if docker => ExecutorKind::Docker,
            None => return Err(Misfit::NoExecutor),
        },
    };
    match wanted {
        ExecutorKind::Docker if docker => Ok(wanted),
        ExecutorKind::Process if wish.executor().is_some() && has(ExecutorKind::Docker) && !agent.builtin => {
            Err(Misfit::ProcessBesideEngine)
        }
        kind if has(kind) => Ok(kind),
        kind => Err(Misfit::Executor(kind)),
    }
}

/// Why the agent, as it is, cannot run it; `None` when it can.
pub(super) fn misfit<'a>(agent: &Agent, wish: &'a Wish) -> Option<Misfit<'a>> {
    match wish.requirements().iter().find(|condition| !holds(agent, condition)) {
        Some(condition) => Some(Misfit::Label(condition)),
        None => executor(agent, wish).err(),
    }
}

/// Why the agent takes no job with this wish now, slots apart; `None` when it does.
pub(super) fn hindrance<'a>(agent: &'a Agent, wish: &Wish) -> Option<Hindrance<'a>> {
    match agent.status {
        AgentStatus::Offline => return Some(Hindrance::Offline),
        AgentStatus::Unreachable => return Some(Hindrance::Unreachable),
        AgentStatus::Online => {}
    }
    match agent.availability {
        Availability::Paused => {
            return Some(Hindrance::Paused(agent.note.as_deref().filter(|note| !note.is_empty())));
        }
        Availability::Draining => return Some(Hindrance::Draining),
        Availability::Active => {}
    }
    if agent.disk_full {
        return Some(Hindrance::Disk);
    }
    let docker = executor(agent, wish) == Ok(ExecutorKind::Docker);
    agent.engine_error.as_deref().filter(|_| docker).map(Hindrance::Engine)
}

/// Whether the agent's executors serve the wish, labels apart.
pub(super) fn executes(agent: &Agent, wish: &Wish) -> bool {
    executor(agent, wish).is_ok()
}

/// Of every agent, whether it could run a job with this wish now or when a slot is free, and why not or how busy it is.
#[must_use]
pub fn fits(wish: &Wish, agents: &[Agent]) -> Vec<Fit> {
    agents.iter().map(|agent| fit(wish, agent)).collect()
}

fn fit(wish: &Wish, agent: &Agent) -> Fit {
    let misfit = misfit(agent, wish).map(|misfit| misfit_text(agent, misfit));
    let hindrance = hindrance(agent, wish).map(|hindrance| {
        let phrase = hindrance.phrase();
        phrase.strip_prefix("is ").map_or(phrase.clone(), str::to_owned)
    });
    let (fits, why) = match (hindrance, misfit) {
        (None, None) => (true, busy_text(agent)),
        (Some(stands), None) => (false, stands),
        (None, Some(is)) => (false, is),
        (Some(stands), Some(is)) => (false, format!("{stands}; {is}")),
    };
    Fit {
        id: agent.id,
        name: agent.name.clone(),
        fits,
        why,
    }
}

fn busy_text(agent: &Agent) -> String {
    match agent.slots {
        1 => format!("{} of 1 slot busy", agent.busy.len()),
        slots => format!("{} of {slots} slots busy", agent.busy.len()),
    }
}

fn misfit_text(agent: &Agent, misfit: Misfit<'_>) -> String {
    match misfit {
        Misfit::Label(Condition { key, equal, value }) => {
            let has = match key.as_str() {
                "agent" => agent.name.as_str(),
                key => agent.labels.get(key).map_or("", String::as_str),
            };
            match (has, equal) {
                ("", _) => format!("has no label {key}"),
                (has, true) if !value.is_empty() => format!("{key} is {has}, not {value}"),
                (has, _) => format!("{key} is {has}"),
            }
        }
        Misfit::Executor(ExecutorKind::Docker) => "has no Docker engine".into(),
        Misfit::Executor(kind) => format!("has no {kind} executor"),
        Misfit::ProcessBesideEngine => "runs containers only".into(),
        Misfit::NoExecutor => "has no executor".into(),
    }
}
