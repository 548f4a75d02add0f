//! Random histories of one task: agents that die, forget and are cut off; messages that are late, double, out of order or
//! forged; aborts, leases, deadlines and retries. A failure names its seed.
//!
//! **Invariant:** a history counts only if its faults were seen to happen; a simulator that injects nothing fails.

mod agents;
mod check;
pub(crate) mod random;
mod wire;
mod world;

use std::collections::BTreeMap;
use wire::Wire;
use world::World;

/// How often something happened.
#[derive(Default)]
struct Counts(BTreeMap<String, u64>);

impl Counts {
    fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }
}

/// All of these must have happened, or the simulator has not looked where it should.
const WANTED: &[&str] = &[
    "abort while pending",
    "abort while running",
    "agent cut off",
    "agent died",
    "agent forgot",
    "assignment lost on its way",
    "assignment sent again",
    "deadline passed",
    "forged message",
    "hand-out refused",
    "lease expired",
    "message doubled",
    "message late",
    "message out of order",
    "new attempt",
    "refused Ended",
    "refused NotDue",
    "refused NotReady",
    "refused NotYours",
    "refused OutOfOrder",
    "refused Stale",
    "refused Unknown",
    "self-fenced",
    "source failed",
    "task aborted",
    "task failed",
    "task lost",
    "task passed",
    "task timed_out",
    "job skipped",
];

#[test]
fn thousands_of_histories_keep_every_promise() {
    let mut counts = Counts::default();
    for seed in 0..3_000 {
        let mut world = World::new(seed, &mut counts);
        if let Err(broken) = world.live() {
            panic!("seed {seed}: {broken}\n{}", world.story());
        }
    }
    let missing: Vec<&&str> = WANTED.iter().filter(|what| !counts.0.contains_key(**what)).collect();
    assert!(
        missing.is_empty(),
        "never happened: {missing:?}; happened: {:?}",
        counts.0
    );
}

/// What a bad network must have done.
const WIRED: &[&str] = &[
    "wire agent asleep",
    "wire agent killed",
    "wire assignment too late",
    "wire clock set",
    "wire deadline passed",
    "wire late report",
    "wire lease expired",
    "wire new attempt",
    "wire one way cut",
    "wire packet doubled",
    "wire packet lost",
    "wire packet overtaken",
    "wire self-fenced",
    "wire server restart",
    "wire task aborted",
    "wire task failed",
    "wire task lost",
    "wire task passed",
];

#[test]
fn over_a_bad_network_nothing_runs_twice_and_everything_ends() {
    let mut counts = Counts::default();
    for seed in 0..2_000 {
        let mut wire = Wire::new(seed, &mut counts);
        if let Err(broken) = wire.live() {
            panic!("seed {seed}: {broken}\n{}", wire.story());
        }
    }
    let missing: Vec<&&str> = WIRED.iter().filter(|what| !counts.0.contains_key(**what)).collect();
    assert!(
        missing.is_empty(),
        "never happened: {missing:?}; happened: {:?}",
        counts.0
    );
}
