//! The table that `make bench` prints: what was measured, the floor in the same run, the budget, and whether it is kept.
//!
//! **Invariant:** a workload that broke has a row that says so; it never just lacks.

use anyhow::Error;

/// The rows so far.
pub struct Report(Vec<[String; 5]>);

impl Report {
    /// An empty table.
    pub fn new() -> Self {
        Self(vec![["what", "measured", "floor", "budget", ""].map(String::from)])
    }

    /// A row with a budget; `kept` says whether it is within.
    pub fn row(&mut self, what: impl Into<String>, measured: impl Into<String>, floor: &str, budget: &str, kept: bool) {
        let verdict = if kept { "kept" } else { "MISSED" };
        self.0.push([
            what.into(),
            measured.into(),
            floor.into(),
            budget.into(),
            verdict.into(),
        ]);
    }

    /// A row without a budget.
    pub fn note(&mut self, what: impl Into<String>, measured: impl Into<String>) {
        self.0.push([
            what.into(),
            measured.into(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }

    /// A workload that could not be measured.
    pub fn broken(&mut self, name: &str, error: &Error) {
        self.0.push([
            name.to_uppercase(),
            format!("{error:#}"),
            String::new(),
            String::new(),
            "BROKEN".into(),
        ]);
    }

    /// Prints the table with aligned columns.
    pub fn print(&self) {
        let mut widths = [0; 5];
        for row in self.0.iter().filter(|row| row[4] != "BROKEN") {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.0 {
            let cells: Vec<_> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            println!("{}", cells.join("  ").trim_end());
        }
    }
}
