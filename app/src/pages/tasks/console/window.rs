//! From a scroll position to the lines in sight, and back.
//!
//! A browser's scroller ends at about 16.7 million pixels, some 830,000 lines; above [`TALLEST`] its range is compressed, so
//! that the last of a hundred million lines can be reached too.
//!
//! **Invariant:** for every position the lines in sight are among those that are placed, and both ends can be reached.

use std::ops::Range;

/// Pixels the scroller's content has at most.
pub const TALLEST: f64 = 12_000_000.0;
/// Lines placed above and below those in sight.
const SPARE: i64 = 60;
/// Windows move in steps of so many lines, so that the document changes rarely.
const STEP: i64 = 40;

/// The scroller's measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Lines in all.
    pub total: i64,
    /// Pixels of a line.
    pub line: f64,
    /// Pixels in sight.
    pub sight: f64,
}

/// Which lines are placed, and the room above them.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// 1-based numbers.
    pub lines: Range<i64>,
    /// Pixels above.
    pub above: f64,
    /// Pixels below.
    pub below: f64,
}

impl Measures {
    fn whole(&self) -> f64 {
        self.total as f64 * self.line
    }

    fn content(&self) -> f64 {
        self.whole().min(TALLEST)
    }

    /// Position in the whole for a position of the scroller.
    fn unfold(&self, top: f64) -> f64 {
        if self.whole() <= TALLEST {
            return top;
        }
        let share = (top / (self.content() - self.sight).max(1.0)).clamp(0.0, 1.0);
        share * (self.whole() - self.sight).max(0.0)
    }

    /// Position of the scroller at which a line is in the middle.
    pub fn top_of(&self, n: i64) -> f64 {
        let wanted = ((n - 1) as f64 * self.line - self.sight / 2.0).clamp(0.0, (self.whole() - self.sight).max(0.0));
        if self.whole() <= TALLEST {
            return wanted;
        }
        wanted / (self.whole() - self.sight).max(1.0) * (self.content() - self.sight).max(0.0)
    }

    /// The first line in sight at a position.
    pub fn first(&self, top: f64) -> i64 {
        (self.unfold(top.max(0.0)) / self.line) as i64 + 1
    }

    /// What to place at a position.
    pub fn window(&self, top: f64) -> Window {
        let top = top.max(0.0);
        let at = self.unfold(top);
        let seen = (self.sight / self.line).ceil() as i64 + 1;
        // At the very end the last lines are in sight whatever the position says.
        let first = self.first(top).min((self.total - seen + 1).max(1));
        let start = ((first - SPARE - 1).max(0) / STEP * STEP) + 1;
        let end = (first + seen + SPARE).div_euclid(STEP) * STEP + STEP + 1;
        let lines = start..end.min(self.total + 1).max(start);
        let above = (top - at + (lines.start - 1) as f64 * self.line).max(0.0);
        let placed = (lines.end - lines.start) as f64 * self.line;
        Window {
            above,
            below: (self.content() - above - placed).max(0.0),
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_in_sight_are_placed_wherever_one_scrolls() {
        for total in [0, 1, 30, 31, 500, 10_000, 1_000_000, 100_000_000] {
            let m = Measures {
                total,
                line: 20.0,
                sight: 600.0,
            };
            let most = (m.content() - m.sight).max(0.0);
            for i in 0..=1_000 {
                let top = most * f64::from(i) / 1_000.0;
                let w = m.window(top);
                let first = m.first(top).min(total.max(1));
                let last = (first + 30).min(total);
                assert!(
                    w.lines.start <= first && last < w.lines.end.max(1),
                    "{total} at {top}: {w:?}"
                );
                assert!(w.lines.end - w.lines.start <= 260, "{w:?}");
                // The first line in sight stands where the scroller is.
                let stands = w.above + (first - w.lines.start) as f64 * m.line;
                assert!(
                    total == 0 || (stands - top).abs() <= m.line + 1.0,
                    "{total} at {top}: {stands}"
                );
            }
            assert_eq!(m.window(most).lines.end, total + 1);
            assert_eq!(m.window(0.0).lines.start, 1);
        }
    }

    #[test]
    fn a_line_is_found_in_the_middle_of_where_it_was_asked_for() {
        for total in [10_000, 1_000_000, 100_000_000] {
            let m = Measures {
                total,
                line: 20.0,
                sight: 600.0,
            };
            for n in [1, 15, total / 3, total - 1, total] {
                let w = m.window(m.top_of(n));
                assert!(w.lines.contains(&n), "{n} of {total}: {w:?}");
            }
        }
    }
}
