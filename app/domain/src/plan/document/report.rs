//! The list of problems under way, and the words for near misses.
//!
//! **Invariant:** every problem has a place inside the text; the list is in the text's order, without repeats, and bounded.

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

/// `Did you mean …?` for the nearest of the words, where one is near enough.
pub(super) fn nearest(word: &str, words: &[&str]) -> Option<String> {
    nearest_word(word, words).map(|w| format!("Did you mean `{w}`?"))
}

/// The word that a person would have meant.
pub(super) fn nearest_word<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let lower = word.to_lowercase();
    let allowed = 1 + lower.chars().count() / 4;
    words
        .iter()
        .map(|w| (distance(&lower, &w.to_lowercase()), *w))
        .filter(|(d, w)| *d <= allowed && *d < w.chars().count())
        .min_by_key(|(d, _)| *d)
        .map(|(_, w)| w)
}

/// Edits between two words: letters put in, taken out, changed, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_one_a_person_would_mean() {
        let words = ["name", "steps", "runs_on", "timeout", "needs", "env"];
        for (typed, meant) in [
            ("setps", Some("steps")),
            ("step", Some("steps")),
            ("Steps", Some("steps")),
            ("run_on", Some("runs_on")),
            ("timout", Some("timeout")),
            ("need", Some("needs")),
            ("nmae", Some("name")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(
                nearest(typed, &words),
                meant.map(|m| format!("Did you mean `{m}`?")),
                "{typed}"
            );
        }
    }
}
