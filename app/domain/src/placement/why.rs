//! The sentence of a job that waits.
//!
//! **Invariant:** each sentence is true of the agents it was made from and names no instant, so that it stays true until
//! one of them changes.

use super::fit::{self, Hindrance};
use super::{Agent, Need, Wish};
use crate::queue::{Blocker, ReasonCode};
use crate::status::ExecutorKind;

/// Most agents a sentence names.
const NAMED: usize = 3;

/// Why a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// In a word.
    pub code: ReasonCode,
    /// One sentence.
    pub sentence: String,
    /// What it waits for.
    pub blocker: Option<Blocker>,
}

impl Why {
    /// It needs jobs of its task that have not passed yet; `None` when there are none.
    #[must_use]
    pub fn needs(unmet: &[Need]) -> Option<Self> {
        let first = unmet.first()?;
        let names = listed(unmet.iter().map(|need| need.key.clone()).collect(), "jobs");
        Some(Self {
            code: ReasonCode::Needs,
            sentence: format!("Waits for {names} of the same task."),
            blocker: Some(Blocker {
                kind: "job".into(),
                id: first.job.0,
            }),
        })
    }

    /// The exact revision is not known yet.
    #[must_use]
    pub fn resolving() -> Self {
        Self {
            code: ReasonCode::Resolving,
            sentence: "The exact revision is being looked up in the repository.".into(),
            blocker: None,
        }
    }

    /// It runs a stranger's change.
    #[must_use]
    pub fn approval() -> Self {
        Self {
            code: ReasonCode::Approval,
            sentence: "Waits for a member to approve its revision, which comes from a fork.".into(),
            blocker: None,
        }
    }

    /// Its lost agent may still run the attempt before.
    #[must_use]
    pub fn held_back() -> Self {
        Self {
            code: ReasonCode::Placing,
            sentence: "Its agent was lost; it starts again once that agent has surely stopped it.".into(),
            blocker: None,
        }
    }

    /// It has just arrived and no placement has looked at it yet.
    #[must_use]
    pub fn placing() -> Self {
        Self {
            code: ReasonCode::Placing,
            sentence: "It is being handed out.".into(),
            blocker: None,
        }
    }

    /// No agent takes it now. `busy` are the busy slots of each agent.
    pub(super) fn agents(wish: &Wish, agents: &[Agent], busy: &[u32]) -> Self {
        let fitting: Vec<usize> = (0..agents.len())
            .filter(|i| fit::misfit(&agents[*i], wish).is_none())
            .collect();
        if fitting.is_empty() {
            return Self {
                code: ReasonCode::NoAgent,
                sentence: none_fits(wish, agents),
                blocker: None,
            };
        }
        let standing: Vec<(&Agent, Hindrance<'_>)> = fitting
            .iter()
            .filter_map(|i| Some((&agents[*i], fit::hindrance(&agents[*i], wish)?)))
            .collect();
        if standing.len() == fitting.len() {
            return hindered(wish, agents, &standing);
        }
        let full: Vec<(&Agent, u32)> = fitting
            .iter()
            .filter(|i| fit::hindrance(&agents[**i], wish).is_none())
            .map(|i| (&agents[*i], busy[*i]))
            .collect();
        let blocker = match full.as_slice() {
            [(agent, _)] => Some(blocker(agent)),
            _ => None,
        };
        let alone = agents.len() == 1;
        Self {
            code: ReasonCode::Slots,
            sentence: all_full(&full, alone, !standing.is_empty()),
            blocker,
        }
    }
}

fn blocker(agent: &Agent) -> Blocker {
    Blocker {
        kind: "agent".into(),
        id: agent.id.0,
    }
}

/// "a", "a and b", "a, b and c", "a, b, c and 4 more jobs".
fn listed(mut names: Vec<String>, noun: &str) -> String {
    if names.len() > NAMED + 1 {
        let more = names.len() - NAMED;
        names.truncate(NAMED);
        names.push(format!("{more} more {noun}"));
    }
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// What the wish demands, each in a few words.
fn demands(wish: &Wish) -> Vec<String> {
    let executor = match wish.executor() {
        Some(ExecutorKind::Docker) => Some("Docker".to_owned()),
        Some(kind) => Some(format!("the {kind} executor")),
        None => wish.image().then(|| "Docker".to_owned()),
    };
    wish.requirements()
        .iter()
        .map(ToString::to_string)
        .chain(executor)
        .collect()
}

/// "it" for one demand, "both" for two, "all of that" for more.
fn pronoun(demands: &[String]) -> &'static str {
    match demands.len() {
        0 | 1 => "it",
        2 => "both",
        _ => "all of that",
    }
}

fn none_fits(wish: &Wish, agents: &[Agent]) -> String {
    if agents.is_empty() {
        return "No agent is connected.".into();
    }
    let unmet = wish
        .requirements()
        .iter()
        .find(|c| !agents.iter().any(|agent| fit::holds(agent, c)));
    if let Some(condition) = unmet {
        return format!("Needs {condition}; no agent has it.");
    }
    let demands = demands(wish);
    let executed = agents.iter().any(|agent| fit::executes(agent, wish));
    match demands.last() {
        None => "No agent offers an executor.".into(),
        Some(executor) if !executed && (wish.executor().is_some() || wish.image()) => match wish.executor() {
            Some(ExecutorKind::Process) if agents.iter().any(|a| a.executors.contains(&ExecutorKind::Process)) => {
                "Needs the process executor; of agents with Docker only the built-in one offers it.".into()
            }
            _ => format!("Needs {executor}; no agent has it."),
        },
        Some(_) if !executed => "No agent offers an executor.".into(),
        Some(_) => {
            format!(
                "Needs {}; no agent has {}.",
                listed(demands.clone(), "things"),
                pronoun(&demands)
            )
        }
    }
}

fn hindered(wish: &Wish, agents: &[Agent], standing: &[(&Agent, Hindrance<'_>)]) -> Why {
    let by_will = |h: Hindrance<'_>| matches!(h, Hindrance::Paused(_) | Hindrance::Draining);
    let chosen = standing
        .iter()
        .find(|(_, h)| by_will(*h))
        .or_else(|| standing.iter().find(|(_, h)| !h.away()));
    let (agent, chosen) = chosen.unwrap_or(&standing[0]);
    let code = if by_will(*chosen) {
        ReasonCode::Paused
    } else {
        ReasonCode::Away
    };
    let names: Vec<String> = standing
        .iter()
        .map(|(agent, h)| format!("{} {}", agent.name, h.phrase()))
        .collect();
    let demands = demands(wish);
    let has = pronoun(&demands);
    let needs = listed(demands.clone(), "things");
    let all_away = standing.iter().all(|(_, h)| h.away());
    let names = listed(names, "agents");
    // The demand is worth a word only where it rules out some agent.
    let sentence = match (standing.len() == agents.len(), all_away, standing) {
        (true, true, _) => format!("No agent is connected: {names}."),
        (true, false, _) => format!("{names}."),
        (false, _, _) if demands.is_empty() => format!("{names}; no other agent offers an executor."),
        (false, true, [(only, h)]) => {
            let name = &only.name;
            format!(
                "Needs {needs}; no agent online has {has}. {name} has {has} and {}.",
                h.phrase()
            )
        }
        (false, true, _) => format!("Needs {needs}; no agent online has {has}. Of those that do, {names}."),
        (false, false, [(only, h)]) => format!("Needs {needs}; {} has {has}, but {}.", only.name, h.phrase()),
        (false, false, _) => format!("Needs {needs}; of the agents that have {has}, {names}."),
    };
    Why {
        code,
        sentence,
        blocker: Some(blocker(agent)),
    }
}

fn all_full(full: &[(&Agent, u32)], alone: bool, others: bool) -> String {
    // Others would fit and take nothing now.
    let now = if others { " now" } else { "" };
    if let [(agent, busy)] = full {
        let slots = match agent.slots {
            0 => "it has no slots".to_owned(),
            1 => "its slot is busy".to_owned(),
            2 => "both its slots are busy".to_owned(),
            n => format!("all its {n} slots are busy"),
        };
        return if alone {
            match agent.slots {
                0 | 1 => format!("{} is full: {slots}.", agent.name),
                n => format!("{} is full: {busy} of {n} slots are busy.", agent.name),
            }
        } else {
            format!("{} is the only agent that fits{now}; {slots}.", agent.name)
        };
    }
    let figure = |i: usize, agent: &Agent, busy: u32| match i {
        0 => format!("{} ({busy} of {} slots)", agent.name, agent.slots),
        _ => format!("{} ({busy} of {})", agent.name, agent.slots),
    };
    let mut figures: Vec<String> = full
        .iter()
        .take(NAMED)
        .enumerate()
        .map(|(i, (a, b))| figure(i, a, *b))
        .collect();
    if full.len() > NAMED {
        figures.push(format!("{} more", full.len() - NAMED));
    }
    let which = match full.len() {
        2 => "Both agents".to_owned(),
        n => format!("All {n} agents"),
    };
    format!("{which} that fit{now} are full: {}.", figures.join(", "))
}
