//! Random fleets and queues, over many rounds of placing and finishing; every promise is checked from the input alone.
//!
//! **Invariant:** the truth is derived here anew, by the letter of DESIGN §3 and §7, and never by the code it checks.

use super::*;
use crate::label::{Condition, Labels};
use crate::lifecycle::simulator::random::Random;
use crate::queue::ReasonCode;
use crate::status::{AgentStatus, Availability, ExecutorKind};
use crate::{AgentId, AttemptId, JobId, TaskId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

const VALUES: &[&str] = &["a", "b"];
const KEYS: &[&str] = &["os", "gpu", "pool", "agent"];

fn some_agent(random: &mut Random, id: i64) -> Agent {
    let mut labels = Labels::new();
    for key in &KEYS[..3] {
        if random.chance(70) {
            labels.insert((*key).into(), (*random.pick(VALUES).unwrap()).into());
        }
    }
    let executors = match random.below(6) {
        0 => vec![ExecutorKind::Process],
        1 => vec![ExecutorKind::Scripted],
        2 if random.chance(30) => Vec::new(),
        _ => vec![ExecutorKind::Docker, ExecutorKind::Process],
    };
    let engine = executors.contains(&ExecutorKind::Docker);
    Agent {
        id: AgentId(id),
        name: (*random.pick(&["a", "b", "c"]).unwrap()).into(),
        status: if random.chance(75) {
            AgentStatus::Online
        } else {
            *random.pick(AgentStatus::ALL).unwrap()
        },
        availability: if random.chance(75) {
            Availability::Active
        } else {
            *random.pick(Availability::ALL).unwrap()
        },
        note: random.chance(50).then(|| "disk".into()),
        slots: random.below(4) as u32,
        busy: Vec::new(),
        labels,
        executors,
        engine_error: (engine && random.chance(10)).then(|| "no answer".into()),
        disk_full: random.chance(5),
        builtin: id == 1,
    }
}

fn some_job(random: &mut Random, id: i64, wishes: &[Arc<Wish>]) -> Waiting {
    let need = |id| Need {
        job: JobId(id),
        key: format!("job{id}"),
    };
    Waiting {
        job: JobId(id),
        task: TaskId(id),
        attempt: AttemptId(id + 1_000),
        priority: random.below(3) as i64 - 1,
        ready_at: Timestamp(random.below(5) as i64),
        unmet: if random.chance(10) {
            (1..=1 + random.below(5) as i64).map(need).collect()
        } else {
            Vec::new()
        },
        // Shared or equal: it must not matter.
        wish: {
            let wish = random.pick(wishes).unwrap();
            if random.chance(50) {
                wish.clone()
            } else {
                Arc::new(Wish::clone(wish))
            }
        },
        held: random
            .chance(8)
            .then(|| *random.pick(&[Held::Resolving, Held::Approval]).unwrap()),
        not_before: random.chance(10).then(|| Timestamp(random.below(2_000) as i64)),
    }
}

fn some_wish(random: &mut Random) -> Arc<Wish> {
    let condition = |random: &mut Random| Condition {
        key: (*random.pick(KEYS).unwrap()).into(),
        equal: random.chance(70),
        value: (*random.pick(VALUES).unwrap()).into(),
    };
    let conditions = (0..random.below(4)).map(|_| condition(random)).collect();
    let executor = random.chance(30).then(|| *random.pick(ExecutorKind::ALL).unwrap());
    Arc::new(Wish::new(conditions, executor, random.chance(20)))
}

/// Whether the agent, as it is, could run the job one day (`ever`) and does take it now, slots apart (`now`).
fn truth(agent: &Agent, wish: &Wish) -> (bool, bool) {
    let labels = wish.requirements().iter().all(|condition| {
        let has = if condition.key == "agent" {
            Some(&agent.name)
        } else {
            agent.labels.get(&condition.key)
        };
        (has.map_or("", String::as_str) == condition.value) == condition.equal
    });
    let offers = |kind| agent.executors.contains(&kind);
    let own = agent.executors.first().copied();
    let kind = match (wish.executor(), own) {
        (Some(kind), _) => Some(kind).filter(|kind| offers(*kind)),
        (None, Some(ExecutorKind::Process)) if wish.image() => None,
        (None, own) => own,
    };
    let forbidden = wish.executor() == Some(ExecutorKind::Process) && offers(ExecutorKind::Docker) && !agent.builtin;
    let ever = labels && kind.is_some() && !forbidden;
    let well = !agent.disk_full && (kind != Some(ExecutorKind::Docker) || agent.engine_error.is_none());
    (
        ever,
        ever && well && agent.status == AgentStatus::Online && agent.availability == Availability::Active,
    )
}

/// Whether a reason is true of these agents, with the slots taken in this round counted in.
fn check_why(job: &Waiting, why: &Why, agents: &[Agent], now: Timestamp) -> Result<(), String> {
    let fit = |now: bool| {
        agents.iter().filter(move |a| {
            if now {
                truth(a, &job.wish).1
            } else {
                truth(a, &job.wish).0
            }
        })
    };
    let blocker = why.blocker.as_ref().map(|b| (b.kind.as_str(), b.id));
    let says = |part: &str| why.sentence.contains(part);
    let agents_by = |id: i64| agents.iter().find(|agent| agent.id.0 == id);
    let fine = match why.code {
        // Never placement's own word.
        ReasonCode::Disk => false,
        ReasonCode::Needs => {
            blocker == job.unmet.first().map(|need| ("job", need.job.0)) && says(&job.unmet[0].key) && says("same task")
        }
        ReasonCode::Resolving => job.held == Some(Held::Resolving) && job.unmet.is_empty(),
        ReasonCode::Approval => job.held == Some(Held::Approval) && job.unmet.is_empty(),
        ReasonCode::Placing => job.not_before.is_some_and(|at| at > now) && job.unmet.is_empty() && job.held.is_none(),
        ReasonCode::Slots => {
            let mut takers = fit(true).peekable();
            takers.peek().is_some() && takers.all(|a| a.busy.len() >= a.slots as usize) && {
                let named = fit(true).take(3).all(|a| says(&a.name));
                let alone = fit(true).count() == 1;
                named && alone == blocker.is_some() && says("full") != says("only agent")
            }
        }
        ReasonCode::NoAgent => fit(false).count() == 0 && blocker.is_none(),
        ReasonCode::Away | ReasonCode::Paused => {
            let by_will = |a: &Agent| a.status == AgentStatus::Online && a.availability != Availability::Active;
            let named = blocker.and_then(|(kind, id)| agents_by(id).filter(|_| kind == "agent"));
            let paused = fit(false).any(by_will);
            fit(true).count() == 0
                && fit(false).count() > 0
                && paused == (why.code == ReasonCode::Paused)
                && named.is_some_and(|a| truth(a, &job.wish).0 && (says(&a.name) || fit(false).count() > 3))
                && says("no agent online") <= !fit(false).any(|a| a.status == AgentStatus::Online)
                && says("No agent is connected") <= agents.iter().all(|a| a.status != AgentStatus::Online)
        }
    };
    if fine && why.sentence.ends_with('.') {
        Ok(())
    } else {
        Err(format!("job {} is told what is not so: {why:?}", job.job))
    }
}

/// Places once and checks everything; the agents then hold what they were given.
fn round(
    agents: &mut [Agent],
    waiting: &mut Vec<Waiting>,
    now: Timestamp,
) -> Result<BTreeMap<&'static str, u64>, String> {
    waiting.sort_by_key(Waiting::rank);
    let plan = place(agents, waiting.iter(), now);
    let mut counts = BTreeMap::new();
    // Handed out in order, each was the best choice at its moment, and no earlier job was passed over for its slot.
    let mut next = plan.placements.iter().peekable();
    for job in waiting.iter() {
        let may = job.unmet.is_empty() && job.held.is_none() && job.not_before.is_none_or(|at| at <= now);
        let free = |a: &&Agent| may && truth(a, &job.wish).1 && a.busy.len() < a.slots as usize;
        let best = agents.iter().filter(free).min_by(|a, b| {
            let share = |a: &Agent| a.busy.len() as f64 / f64::from(a.slots);
            share(a).total_cmp(&share(b)).then(a.id.cmp(&b.id))
        });
        let given = next.next_if(|placement| placement.job == job.job);
        match (best.map(|agent| agent.id), given) {
            (None, None) => *counts.entry("left").or_default() += 1,
            (Some(best), Some(given)) if given.agent == best && given.attempt == job.attempt => {
                let agent = agents
                    .iter_mut()
                    .find(|agent| agent.id == best)
                    .ok_or("no such agent")?;
                agent.busy.push(Busy {
                    task: job.task,
                    job: job.job,
                });
                *counts.entry("placed").or_default() += 1;
            }
            (best, given) => return Err(format!("job {}: {given:?}, but the best was {best:?}", job.job)),
        }
    }
    if next.next().is_some() {
        return Err("something was placed out of turn".into());
    }
    let mut left = plan.reasons().peekable();
    let mut passed_over = false;
    for job in waiting.iter() {
        let placed = plan.placements.iter().any(|placement| placement.job == job.job);
        let Some((_, why)) = left.next_if(|(id, _)| *id == job.job) else {
            if !placed {
                return Err(format!("job {} waits without a reason", job.job));
            }
            if passed_over {
                *counts.entry("overtook").or_default() += 1;
            }
            continue;
        };
        if placed {
            return Err(format!("job {} is placed and waits", job.job));
        }
        passed_over = true;
        check_why(job, why, agents, now)?;
        *counts.entry(why.code.as_str()).or_default() += 1;
    }
    for agent in agents.iter() {
        for fit in fits(&Wish::new(Vec::new(), None, false), std::slice::from_ref(agent)) {
            if fit.fits != truth(agent, &Wish::new(Vec::new(), None, false)).1 || fit.why.is_empty() {
                return Err(format!("agent {} is told wrongly: {fit:?}", agent.id));
            }
        }
    }
    waiting.retain(|job| !plan.placements.iter().any(|placement| placement.job == job.job));
    Ok(counts)
}

#[test]
fn thousands_of_queues_are_placed_well_and_told_the_truth() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let wishes: Vec<Arc<Wish>> = (0..1 + random.below(5)).map(|_| some_wish(&mut random)).collect();
        let mut agents: Vec<Agent> = (1..=random.below(6) as i64)
            .map(|id| some_agent(&mut random, id))
            .collect();
        let mut waiting = Vec::new();
        let mut next_id = 0;
        for turn in 0..6 {
            for _ in 0..random.below(8) {
                next_id += 1;
                waiting.push(some_job(&mut random, next_id, &wishes));
            }
            match round(&mut agents, &mut waiting, Timestamp(turn * 300)) {
                Ok(seen) => seen
                    .into_iter()
                    .for_each(|(what, n)| *counts.entry(what).or_default() += n),
                Err(broken) => panic!("seed {seed}, turn {turn}: {broken}\n{agents:#?}"),
            }
            // Work ends, agents change.
            for agent in &mut agents {
                let chance = random.below(100);
                agent.busy.retain(|_| random.chance(chance));
                if random.chance(10) {
                    let (busy, id) = (std::mem::take(&mut agent.busy), agent.id.0);
                    *agent = Agent {
                        busy,
                        ..some_agent(&mut random, id)
                    };
                }
            }
        }
    }
    let wanted = ReasonCode::ALL
        .iter()
        .filter(|code| **code != ReasonCode::Disk)
        .map(|code| code.as_str())
        .chain(["placed", "left", "overtook"]);
    let missing: Vec<&str> = wanted.filter(|what| !counts.contains_key(what)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}; happened: {counts:?}");
}
