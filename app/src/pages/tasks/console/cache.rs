//! Lines of a step that the browser holds: some of all, a bounded number, by line number.
//!
//! **Invariant:** a line's revision rises whenever its content changes, so whoever painted it can tell; lines far from where
//! the reader looks are dropped first.

use domain::Timestamp;
use domain::console::view::{Line, Run};
use std::collections::BTreeMap;
use std::ops::Range;

/// Lines held at most.
const MOST: usize = 24_000;
/// Lines fetched at once.
pub const FETCH: i64 = 400;

/// Places where bytes are missing: how many, where that is known, and why.
pub type Missing = Vec<(Option<i64>, String)>;

/// A line as it is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Rises with each change of the content.
    pub revision: u32,
    /// When its first byte arrived.
    pub at: Option<Timestamp>,
    /// Its text.
    pub runs: Vec<Run>,
    /// Bytes missing before it, with the reason.
    pub before: Missing,
    /// Bytes missing behind it, where it is the last.
    pub after: Missing,
}

/// The lines.
#[derive(Debug, Default)]
pub struct Cache {
    lines: BTreeMap<i64, Held>,
    revisions: u32,
    /// Lines there are in all.
    pub total: i64,
    /// What is missing of a console that has no line at all.
    pub alone: Missing,
}

impl Cache {
    /// A line, when it is held.
    pub fn get(&self, n: i64) -> Option<&Held> {
        self.lines.get(&n)
    }

    /// Takes lines as the server gave them.
    pub fn take(&mut self, items: Vec<Line>) {
        let mut before = Vec::new();
        let mut last = None;
        for item in items {
            match item {
                Line::Gap { gap, reason } => before.push((gap, reason)),
                Line::Text { n, at, runs, .. } => {
                    self.put(n, at, runs, std::mem::take(&mut before));
                    last = Some(n);
                }
            }
        }
        match last.and_then(|n| self.lines.get_mut(&n)) {
            Some(held) if held.after != before => {
                self.revisions = self.revisions.wrapping_add(1);
                (held.after, held.revision) = (before, self.revisions);
            }
            Some(_) => {}
            None => self.alone = before,
        }
    }

    /// Takes one line.
    pub fn put(&mut self, n: i64, at: Option<Timestamp>, runs: Vec<Run>, before: Missing) {
        self.revisions = self.revisions.wrapping_add(1);
        let revision = self.revisions;
        match self.lines.get_mut(&n) {
            // What the server says of a time is truer than what was guessed; a guess never replaces it.
            Some(held) => {
                let at = at.or(held.at);
                if held.at != at || held.runs != runs || held.before != before {
                    *held = Held {
                        revision,
                        at,
                        runs,
                        before,
                        after: std::mem::take(&mut held.after),
                    };
                }
            }
            None => {
                self.lines.insert(
                    n,
                    Held {
                        revision,
                        at,
                        runs,
                        before,
                        after: Vec::new(),
                    },
                );
            }
        }
        self.total = self.total.max(n);
    }

    /// There are only so many lines: what is held beyond them was of another step.
    pub fn cut(&mut self, total: i64) {
        self.total = total;
        self.lines.split_off(&(total + 1));
    }

    /// The first stretch of `wanted` that is not held, widened to a good size for one fetch.
    pub fn missing(&self, wanted: Range<i64>) -> Option<Range<i64>> {
        let first = wanted.clone().find(|n| !self.lines.contains_key(n))?;
        let last = wanted.clone().rev().find(|n| !self.lines.contains_key(n))?;
        let spare = (FETCH - (last + 1 - first)).max(0);
        // Where the reader goes, more will be wanted: up when what is missing is at the upper edge.
        let from = if first == wanted.start { first - spare } else { first }.max(1);
        let from = (from..=first)
            .rev()
            .take_while(|n| !self.lines.contains_key(n))
            .last()
            .unwrap_or(first);
        Some(from..(from + FETCH).min(self.total + 1).max(first + 1))
    }

    /// Drops what lies far from `near`, when too much is held.
    pub fn trim(&mut self, near: i64) {
        while self.lines.len() > MOST {
            let (first, last) = match (self.lines.first_key_value(), self.lines.last_key_value()) {
                (Some((f, _)), Some((l, _))) => (*f, *l),
                _ => return,
            };
            if near - first > last - near {
                self.lines.pop_first();
            } else {
                self.lines.pop_last();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::console::view::Stream;

    fn runs(text: &str) -> Vec<Run> {
        vec![Run {
            text: text.into(),
            style: String::new(),
        }]
    }

    fn line(n: i64) -> Line {
        Line::Text {
            n,
            at: Some(Timestamp(n)),
            stream: Stream::Stdout,
            runs: runs("x"),
        }
    }

    #[test]
    fn a_revision_rises_only_with_the_content() {
        let mut c = Cache::default();
        c.put(1, None, runs("a"), vec![]);
        let first = c.get(1).unwrap().revision;
        c.put(1, None, runs("a"), vec![]);
        assert_eq!(c.get(1).unwrap().revision, first);
        c.put(1, Some(Timestamp(5)), runs("ab"), vec![]);
        assert!(c.get(1).unwrap().revision > first);
        c.put(1, None, runs("ab"), vec![]);
        assert_eq!(c.get(1).unwrap().at, Some(Timestamp(5)));
    }

    #[test]
    fn what_is_missing_is_fetched_in_good_pieces() {
        let mut c = Cache::default();
        c.take((9_801..=10_000).map(line).collect());
        assert_eq!(c.missing(9_850..9_950), None);
        // Scrolling up: the stretch right above what is held.
        assert_eq!(c.missing(9_750..9_850), Some(9_401..9_801));
        // Jumping far away.
        assert_eq!(c.missing(5_000..5_100), Some(4_700..5_100));
        assert_eq!(c.missing(1..101), Some(1..401));
        c.total = 10_100;
        assert_eq!(c.missing(9_950..10_101), Some(10_001..10_101));
    }

    #[test]
    fn gaps_belong_to_the_line_behind_them_or_to_the_end() {
        let mut c = Cache::default();
        let gap = |gap| Line::Gap {
            gap: Some(gap),
            reason: "r".into(),
        };
        c.take(vec![line(1), gap(7), line(2), gap(9)]);
        assert_eq!(c.get(2).unwrap().before, [(Some(7), "r".into())]);
        assert_eq!(c.get(2).unwrap().after, [(Some(9), "r".into())]);
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_near() {
        let mut c = Cache::default();
        c.take((1..=MOST as i64 + 500).map(line).collect());
        c.trim(100);
        assert!(c.get(1).is_some() && c.get(MOST as i64 + 500).is_none());
        c.take((MOST as i64..=MOST as i64 + 900).map(line).collect());
        c.trim(MOST as i64 + 900);
        assert!(c.get(1).is_none() && c.get(MOST as i64 + 900).is_some());
        c.cut(50);
        assert_eq!((c.total, c.get(51)), (50, None));
    }
}
