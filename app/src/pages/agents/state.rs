//! An agent's state in a word, an icon and a sentence.
//!
//! **Invariant:** being away comes before being paused: it is what a person must know first.

use crate::components::Look;
use domain::agent::AgentView;
use domain::status::{AgentStatus, Availability};

/// How an agent looks.
pub fn look(a: &AgentView) -> Look {
    let look = |word, icon, class| Look {
        word,
        icon,
        class,
        fill: "f-waiting",
        turns: false,
    };
    match (a.status, a.availability) {
        (AgentStatus::Unreachable, _) => look("unreachable", "unplug", "st st-lost"),
        (AgentStatus::Offline, _) => look("offline", "unplug", "st st-waiting"),
        (_, Availability::Paused) => look("paused", "circle-pause", "st st-waiting"),
        (_, Availability::Draining) if a.running.is_empty() => look("drained", "circle-pause", "st st-waiting"),
        (_, Availability::Draining) => look("draining", "circle-pause", "st st-waiting"),
        (AgentStatus::Online, Availability::Active) if a.leaving => look("stopping", "circle-pause", "st st-waiting"),
        (AgentStatus::Online, Availability::Active) if a.running.is_empty() => {
            look("idle", "circle-check", "st st-passed")
        }
        (AgentStatus::Online, Availability::Active) => Look {
            word: "busy",
            icon: "loader-circle",
            class: "st st-running",
            fill: "f-running",
            turns: true,
        },
    }
}

/// Why it stands so: by whom, until when, with which note; `None` when there is nothing to say.
pub fn why(a: &AgentView) -> Option<String> {
    if a.availability == Availability::Active {
        return None;
    }
    let by = a.paused_by.as_ref().map(|by| format!("by {by}"));
    let until = a.paused_until.map(|at| {
        let c = at.civil();
        format!("until {:02}-{:02} {:02}:{:02} UTC", c.month, c.day, c.hour, c.minute)
    });
    let note = a.note.as_ref().map(|n| format!("“{n}”"));
    let when: Vec<_> = [by, until].into_iter().flatten().collect();
    let words: Vec<_> = [Some(when.join(" ")).filter(|w| !w.is_empty()), note]
        .into_iter()
        .flatten()
        .collect();
    (!words.is_empty()).then(|| words.join(": "))
}

/// The page's sentence.
pub fn lead(agents: &[AgentView]) -> String {
    let online = agents.iter().filter(|a| a.status == AgentStatus::Online).count();
    let paused = agents.iter().filter(|a| a.availability != Availability::Active).count();
    let able = || {
        agents
            .iter()
            .filter(|a| a.status == AgentStatus::Online && a.availability == Availability::Active)
    };
    let slots: i64 = able().map(|a| a.slots).sum();
    let busy: usize = able().map(|a| a.running.len()).sum();
    let who = match (agents.len(), online) {
        (0, _) => return "No agent has called yet.".into(),
        (1, 1) => "The agent is online".to_owned(),
        (1, _) => "The agent is away".to_owned(),
        (all, on) if all == on => format!("All {all} are online"),
        (all, on) => format!("{on} of {all} online"),
    };
    let paused = match paused {
        0 => String::new(),
        n if agents.len() > 1 => format!(", {n} of them paused"),
        _ => " and paused".into(),
    };
    let now = if slots == 0 {
        "Nothing new can start.".to_owned()
    } else {
        format!("{busy} of {slots} slots busy.")
    };
    format!("{who}{paused}. {now}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::agent::Facts;
    use domain::{AgentId, Timestamp};

    fn agent(status: AgentStatus, availability: Availability) -> AgentView {
        AgentView {
            id: AgentId(1),
            name: "kiln".into(),
            status,
            availability,
            note: None,
            paused_by: None,
            paused_until: None,
            leaving: false,
            builtin: false,
            labels: Default::default(),
            labels_set: Default::default(),
            slots: 2,
            slots_reported: 2,
            running: vec![],
            facts: Facts::default(),
            load: None,
            clock_off_ms: None,
            seen_at: None,
            created_at: Timestamp(0),
            version: 1,
        }
    }

    #[test]
    fn away_is_said_before_paused() {
        use AgentStatus::{Offline, Online, Unreachable};
        use Availability::{Active, Draining, Paused};
        for (status, availability, want) in [
            (Online, Active, "idle"),
            (Online, Paused, "paused"),
            (Online, Draining, "drained"),
            (Unreachable, Paused, "unreachable"),
            (Offline, Active, "offline"),
        ] {
            assert_eq!(look(&agent(status, availability)).word, want);
        }
    }

    #[test]
    fn the_sentence_counts_what_can_run() {
        let online = agent(AgentStatus::Online, Availability::Active);
        let paused = agent(AgentStatus::Online, Availability::Paused);
        assert_eq!(lead(&[]), "No agent has called yet.");
        assert_eq!(
            lead(std::slice::from_ref(&online)),
            "The agent is online. 0 of 2 slots busy."
        );
        assert_eq!(
            lead(&[online, paused]),
            "All 2 are online, 1 of them paused. 0 of 2 slots busy."
        );
    }
}
