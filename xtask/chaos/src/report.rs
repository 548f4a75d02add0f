//! What `make chaos` prints: a line a round, and at the end a table of faults.
//!
//! **Invariant:** every fault that was to be inflicted has a row, with zeros where it never was.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::kind::Kind;
use crate::round::Outcome;

#[derive(Default)]
struct Row {
    rounds: u64,
    took: u64,
    amid: u64,
    tasks: u64,
    aborts: u64,
    steps: u64,
    bytes: u64,
    gaps: u64,
    lost: u64,
    violations: u64,
}

/// The sums so far.
pub struct Report(BTreeMap<(Fault, Kind), Row>);

impl Report {
    /// One with a row for each fault and kind of site.
    pub fn new(faults: impl Iterator<Item = (Fault, Kind)>) -> Self {
        Self(faults.map(|f| (f, Row::default())).collect())
    }

    /// Adds a round and prints its line.
    pub fn round(&mut self, number: u64, seed: u64, (fault, kind): (Fault, Kind), outcome: &Outcome) {
        let (found, row) = (&outcome.found, self.0.entry((fault, kind)).or_default());
        row.rounds += 1;
        row.took += outcome.hits.took;
        row.amid += outcome.hits.amid;
        row.tasks += outcome.tasks;
        row.aborts += outcome.aborts;
        row.steps += found.steps;
        row.bytes += found.bytes;
        row.gaps += found.gaps;
        row.lost += found.lost;
        row.violations += found.violations.len() as u64;
        let verdict = if found.violations.is_empty() { "fine" } else { "BROKEN" };
        println!(
            "round {number:>4}  {:<52} took {:>3}  tasks {:>2}  steps {:>2}  {:>9} bytes  gaps {}  lost {}  seed {seed:<20}  {verdict}",
            fault.name(kind),
            outcome.hits.took,
            outcome.tasks,
            found.steps,
            found.bytes,
            found.gaps,
            found.lost
        );
        for what in &found.violations {
            println!("            {what}");
        }
    }

    /// A round that could not be ended.
    pub fn broken(&mut self, number: u64, seed: u64, (fault, kind): (Fault, Kind), error: &anyhow::Error) {
        let row = self.0.entry((fault, kind)).or_default();
        row.rounds += 1;
        row.violations += 1;
        println!(
            "round {number:>4}  {:<52} seed {seed:<20}  BROKEN\n            {error:#}",
            fault.name(kind)
        );
    }

    /// Violations so far.
    pub fn violations(&self) -> u64 {
        self.0.values().map(|row| row.violations).sum()
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.0.values().map(|row| row.rounds).sum()
    }

    /// Prints the table.
    pub fn print(&self) {
        println!(
            "\n{:<52} {:>6} {:>6} {:>9} {:>6} {:>6} {:>6} {:>8} {:>5} {:>5} {:>6}",
            "fault", "rounds", "took", "amid runs", "tasks", "aborts", "steps", "MB", "gaps", "lost", "broken"
        );
        for ((fault, kind), row) in &self.0 {
            println!(
                "{:<52} {:>6} {:>6} {:>9} {:>6} {:>6} {:>6} {:>8.1} {:>5} {:>5} {:>6}",
                fault.name(*kind),
                row.rounds,
                row.took,
                row.amid,
                row.tasks,
                row.aborts,
                row.steps,
                row.bytes as f64 / 1e6,
                row.gaps,
                row.lost,
                row.violations
            );
        }
    }
}
