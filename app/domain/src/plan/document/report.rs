//! The list of problems under way, and the words for near misses.
//!
//! **Invariant:** every problem has a place inside the text; the list is in the text's order, without repeats, and bounded.

pub(super) use crate::nearest::{nearest, nearest_word};

use crate::Problem;

/// Most problems told at once; who has more starts with these.
const MOST: usize = 100;
/// Most problems looked for.
const LOOKED_FOR: usize = 1_000;

/// Line and column, 1-based; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The very beginning.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Problems found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<(Place, Problem)>,
}

impl Report {
    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether more problems would help nobody.
    pub fn is_full(&self) -> bool {
        self.found.len() >= LOOKED_FOR
    }

    /// Notes a problem.
    pub fn add(&mut self, path: &str, place: Place, message: impl Into<String>, hint: Option<String>) {
        if self.is_full() {
            return;
        }
        let problem = Problem {
            path: path.to_owned(),
            line: None,
            column: None,
            message: message.into(),
            hint,
        };
        self.found.push((place, problem));
    }

    /// The problems in the text's order, each inside the text.
    pub fn into_problems(mut self, text: &str) -> Vec<Problem> {
        let lines: Vec<usize> = text
            .split('\n')
            .map(|l| l.trim_end_matches('\r').chars().count())
            .collect();
        self.found.sort_by_key(|(place, _)| *place);
        let mut problems: Vec<Problem> = Vec::new();
        for (place, mut p) in self.found {
            let line = place.line.clamp(1, lines.len());
            let column = place.column.clamp(1, lines[line - 1] + 1);
            p.line = u32::try_from(line).ok();
            p.column = u32::try_from(column).ok();
            // A mapping used through an alias is checked at each use, and wrong once.
            let told = |o: &Problem| (o.line, o.column, &o.message) == (p.line, p.column, &p.message);
            if problems.len() < MOST && !problems.iter().any(told) {
                problems.push(p);
            }
        }
        problems
    }
}
