//! The sentences of the queue.
//!
//! **Invariant:** every sentence a person may read there is spelled out here once.

use super::*;

#[test]
fn a_full_house_is_said_with_its_figures() {
    let gpu = [("gpu", "yes")];
    let full = |id, name: &str, slots: u32| agent(id, name, slots, slots as usize, &gpu);
    let any = wish(&["gpu == yes"]);
    let other = agent(8, "x", 2, 0, &[]);
    let mut away = full(9, "y", 1);
    away.status = AgentStatus::Offline;
    for (agents, sentence) in [
        (vec![full(1, "builtin", 1)], "builtin is full: its slot is busy."),
        (vec![full(1, "builtin", 2)], "builtin is full: 2 of 2 slots are busy."),
        (
            vec![full(1, "forge", 2), other.clone()],
            "forge is the only agent that fits; both its slots are busy.",
        ),
        (
            vec![full(1, "forge", 8), away],
            "forge is the only agent that fits now; all its 8 slots are busy.",
        ),
        (
            vec![full(1, "forge", 0), other],
            "forge is the only agent that fits; it has no slots.",
        ),
        (
            vec![full(1, "kiln-1", 2), full(2, "builtin", 1)],
            "Both agents that fit are full: kiln-1 (2 of 2 slots), builtin (1 of 1).",
        ),
        (
            (1..=5).map(|n| full(n, &format!("k{n}"), 1)).collect(),
            "All 5 agents that fit are full: k1 (1 of 1 slots), k2 (1 of 1), k3 (1 of 1), 2 more.",
        ),
    ] {
        assert_eq!(why(&agents, &any), (ReasonCode::Slots, sentence.to_owned()));
    }
    let plan = place(&[full(4, "a", 1), agent(5, "b", 1, 0, &[])], &[job(1, &any)], NOW);
    let (_, why) = plan.reasons().next().unwrap();
    assert_eq!(
        why.blocker.as_ref().map(|b| (b.kind.as_str(), b.id)),
        Some(("agent", 4))
    );
}

#[test]
fn what_no_agent_has_is_named() {
    use ExecutorKind::{Docker, Process};
    let mut processes = agent(1, "a", 1, 0, &[("os", "linux")]);
    processes.executors = vec![Process];
    let gpu = agent(2, "g", 1, 0, &[("gpu", "yes"), ("os", "bsd")]);
    let mut bare = processes.clone();
    bare.executors = Vec::new();
    for (agents, wish, sentence) in [
        (vec![], wish(&[]), "No agent is connected."),
        (
            vec![processes.clone()],
            wish(&["gpu == yes"]),
            "Needs gpu == yes; no agent has it.",
        ),
        (
            vec![processes.clone()],
            wish(&["os != linux"]),
            "Needs os != linux; no agent has it.",
        ),
        (
            vec![processes.clone(), gpu.clone()],
            wish(&["gpu == yes", "os == linux"]),
            "Needs gpu == yes and os == linux; no agent has both.",
        ),
        (
            vec![processes.clone(), gpu.clone()],
            wish_by(&["gpu == yes", "os == linux"], Some(Docker), false),
            "Needs gpu == yes, os == linux and Docker; no agent has all of that.",
        ),
        (
            vec![processes.clone()],
            wish_by(&[], Some(Docker), false),
            "Needs Docker; no agent has it.",
        ),
        (
            vec![processes.clone()],
            wish_by(&[], None, true),
            "Needs Docker; no agent has it.",
        ),
        (
            vec![gpu],
            wish_by(&[], Some(Process), false),
            "Needs the process executor; of agents with Docker only the built-in one offers it.",
        ),
        (vec![bare], wish(&[]), "No agent offers an executor."),
    ] {
        assert_eq!(why(&agents, &wish), (ReasonCode::NoAgent, sentence.to_owned()));
    }
}

#[test]
fn who_fits_and_takes_nothing_is_named_with_its_state() {
    let stands = |id, name: &str, status, availability, note: Option<&str>| Agent {
        status,
        availability,
        note: note.map(str::to_owned),
        ..agent(id, name, 2, 0, &[("gpu", "yes")])
    };
    use AgentStatus::{Offline, Online, Unreachable};
    use Availability::{Active, Draining, Paused};
    let away = stands(1, "kiln-2", Unreachable, Active, None);
    let gone = stands(2, "kiln-3", Offline, Active, None);
    let held = stands(3, "builtin", Online, Paused, Some("new disk"));
    let quiet = stands(3, "builtin", Online, Paused, None);
    let going = stands(4, "old", Online, Draining, None);
    let mut ill = agent(5, "kiln-5", 1, 0, &[("gpu", "yes")]);
    ill.engine_error = Some("permission denied.".into());
    let mut filled = agent(7, "kiln-7", 1, 0, &[("gpu", "yes")]);
    (filled.disk_full, filled.executors) = (true, vec![ExecutorKind::Process]);
    let other = agent(6, "x", 1, 0, &[]);
    let gpu = wish(&["gpu == yes"]);
    for (agents, code, sentence) in [
        (
            vec![&gone],
            ReasonCode::Away,
            "No agent is connected: kiln-3 is offline.",
        ),
        (
            vec![&away, &gone],
            ReasonCode::Away,
            "No agent is connected: kiln-2 is unreachable and kiln-3 is offline.",
        ),
        (
            vec![&away, &other],
            ReasonCode::Away,
            "Needs gpu == yes; no agent online has it. kiln-2 has it and is unreachable.",
        ),
        (
            vec![&away, &gone, &other],
            ReasonCode::Away,
            "Needs gpu == yes; no agent online has it. Of those that do, kiln-2 is unreachable and kiln-3 is offline.",
        ),
        (vec![&held], ReasonCode::Paused, "builtin is paused: “new disk”."),
        (
            vec![&quiet, &going],
            ReasonCode::Paused,
            "builtin is paused and old is draining.",
        ),
        (
            vec![&going, &other],
            ReasonCode::Paused,
            "Needs gpu == yes; old has it, but is draining.",
        ),
        (
            vec![&away, &held, &other],
            ReasonCode::Paused,
            "Needs gpu == yes; of the agents that have it, kiln-2 is unreachable and builtin is paused: “new disk”.",
        ),
        (vec![&filled], ReasonCode::Away, "kiln-7 has a full disk."),
        (
            vec![&ill],
            ReasonCode::Away,
            "kiln-5 cannot use its Docker engine: permission denied.",
        ),
    ] {
        let agents: Vec<Agent> = agents.into_iter().cloned().collect();
        assert_eq!(why(&agents, &gpu), (code, sentence.to_owned()));
    }
    let mut bare = other.clone();
    bare.executors = Vec::new();
    let sentence = "kiln-3 is offline; no other agent offers an executor.";
    assert_eq!(why(&[gone, bare], &wish(&[])), (ReasonCode::Away, sentence.to_owned()));
    let texts: Vec<_> = fits(&gpu, &[away, held, ill, other])
        .into_iter()
        .map(|fit| (fit.fits, fit.why))
        .collect();
    let expected = [
        "unreachable",
        "paused: “new disk”",
        "cannot use its Docker engine: permission denied",
        "has no label gpu",
    ];
    assert_eq!(texts, expected.map(|text| (false, text.to_owned())));
}

#[test]
fn the_column_of_agents_says_why_not_or_how_busy() {
    let mut nas = agent(3, "nas", 1, 0, &[("os", "freebsd"), ("pool", "slow")]);
    nas.availability = Availability::Paused;
    let agents = [
        agent(1, "a", 2, 2, &[("os", "linux")]),
        agent(2, "b", 1, 0, &[("os", "linux")]),
        nas,
    ];
    let texts = |wish: &Wish| {
        fits(wish, &agents)
            .into_iter()
            .map(|fit| (fit.fits, fit.why))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(&wish(&["os == linux"])),
        [
            (true, "2 of 2 slots busy".to_owned()),
            (true, "0 of 1 slot busy".to_owned()),
            (false, "paused; os is freebsd, not linux".to_owned()),
        ]
    );
    assert_eq!(texts(&wish(&["pool != slow"]))[2].1, "paused; pool is slow");
}

#[test]
fn what_is_not_about_agents_comes_first() {
    let any = wish(&[]);
    let need = |keys: &[&str]| {
        keys.iter()
            .zip(7..)
            .map(|(k, id)| Need {
                job: JobId(id),
                key: (*k).into(),
            })
            .collect()
    };
    let mut jobs: Vec<_> = (1..=7).map(|id| job(id, &any)).collect();
    jobs[0].unmet = need(&["build"]);
    jobs[1].unmet = need(&["build", "lint", "docs"]);
    jobs[2].unmet = need(&["a", "b", "c", "d", "e"]);
    jobs[3].held = Some(Held::Resolving);
    jobs[6].held = Some(Held::Approval);
    jobs[4].not_before = Some(Timestamp(1_001));
    jobs[5].not_before = Some(NOW);
    let plan = place(&[agent(1, "a", 9, 0, &[])], &jobs, NOW);
    assert_eq!(placed(&plan), [(6, 1)]);
    let whys: Vec<_> = plan
        .reasons()
        .map(|(id, why)| (id.0, why.code, why.sentence.as_str()))
        .collect();
    assert_eq!(
        whys,
        [
            (1, ReasonCode::Needs, "Waits for build of the same task."),
            (2, ReasonCode::Needs, "Waits for build, lint and docs of the same task."),
            (
                3,
                ReasonCode::Needs,
                "Waits for a, b, c and 2 more jobs of the same task."
            ),
            (
                4,
                ReasonCode::Resolving,
                "The exact revision is being looked up in the repository."
            ),
            (
                5,
                ReasonCode::Placing,
                "Its agent was lost; it starts again once that agent has surely stopped it."
            ),
            (
                7,
                ReasonCode::Approval,
                "Waits for a member to approve its revision, which comes from a fork."
            ),
        ]
    );
    assert_eq!(plan.reasons().next().unwrap().1.blocker.as_ref().map(|b| b.id), Some(7));
}
