//! One line as a terminal would leave it: cells, a cursor and a pen.
//!
//! **Invariant:** a line holds at most [`WIDTH`] cells, whatever is written into it, and every cell a printable character.

use super::pen::Pen;
use super::view::Run;

/// Cells a line shows; what lies beyond is counted and folded.
pub const WIDTH: usize = 64 * 1024;
const TAB: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Cell {
    ch: char,
    pen: Pen,
}

/// A line being written.
#[derive(Debug, Default)]
pub(super) struct Screen {
    cells: Vec<Cell>,
    at: usize,
    /// Characters that found no cell.
    beyond: u64,
    pub(super) pen: Pen,
}

impl Screen {
    pub(super) fn new(pen: Pen) -> Self {
        Self { pen, ..Self::default() }
    }

    fn put(&mut self, ch: char) {
        if self.at >= WIDTH {
            self.beyond += 1;
            return;
        }
        let cell = Cell { ch, pen: self.pen };
        match self.cells.get_mut(self.at) {
            Some(c) => *c = cell,
            None => {
                self.cells.resize(
                    self.at,
                    Cell {
                        ch: ' ',
                        pen: Pen::default(),
                    },
                );
                self.cells.push(cell);
            }
        }
        self.at += 1;
    }

    fn right(&mut self, by: usize) {
        self.at = self.at.saturating_add(by).min(WIDTH);
    }

    /// Erases: 0 from the cursor on, 1 up to it, 2 all.
    fn erase(&mut self, how: u16) {
        match how {
            0 => self.cells.truncate(self.at),
            1 => {
                let end = (self.at + 1).min(self.cells.len());
                self.cells[..end].fill(Cell {
                    ch: ' ',
                    pen: Pen::default(),
                });
            }
            2 => self.cells.clear(),
            _ => {}
        }
        if how != 1 {
            self.beyond = 0;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.beyond == 0
    }

    /// The line as runs; trailing blanks of no style are dropped.
    pub(super) fn runs(&self) -> Vec<Run> {
        let blank = |c: &Cell| c.ch == ' ' && c.pen == Pen::default();
        let end = self.cells.iter().rposition(|c| !blank(c)).map_or(0, |i| i + 1);
        let mut runs: Vec<Run> = Vec::new();
        let mut last = None;
        for c in &self.cells[..end] {
            match runs.last_mut() {
                Some(run) if last == Some(c.pen) => run.text.push(c.ch),
                _ => runs.push(Run {
                    text: c.ch.to_string(),
                    style: c.pen.classes(),
                }),
            }
            last = Some(c.pen);
        }
        if self.beyond > 0 {
            runs.push(Run {
                text: fold_note(self.beyond),
                style: "dim italic".into(),
            });
        }
        runs
    }

    /// Begins the next line; the pen stays.
    pub(super) fn clear(&mut self) {
        self.cells.clear();
        // A giant line must not keep its memory for all that follow.
        self.cells.shrink_to(4096);
        self.at = 0;
        self.beyond = 0;
    }
}

/// What stands behind a folded line.
pub(super) fn fold_note(beyond: u64) -> String {
    format!(" … {beyond} more characters in the raw console")
}

fn first(params: &vte::Params, default: u16) -> u16 {
    params
        .iter()
        .next()
        .and_then(|p| p.first().copied())
        .filter(|n| *n != 0)
        .unwrap_or(default)
}

/// Characters that print nothing of their own but reorder what stands around them: output cannot disguise itself.
fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl vte::Perform for Screen {
    fn print(&mut self, c: char) {
        if !c.is_control() && !reorders(c) && !matches!(c, '\u{2028}' | '\u{2029}') {
            self.put(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.at = 0,
            0x08 => self.at = self.at.saturating_sub(1),
            b'\t' => {
                let by = TAB - self.at % TAB;
                // Blanks are written only where there is nothing yet: a tab moves, it does not erase.
                self.right(by);
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        match action {
            'm' if params.is_empty() => self.pen = Pen::default(),
            'm' => self.pen.sgr(params),
            // Erasing downwards erases no more than this line: the ones above are settled, there are none below.
            'K' | 'J' => self.erase(params.iter().next().and_then(|p| p.first().copied()).unwrap_or(0)),
            'C' => self.right(usize::from(first(params, 1))),
            'D' => self.at = self.at.saturating_sub(usize::from(first(params, 1))),
            'G' => self.at = usize::from(first(params, 1)) - 1,
            _ => {}
        }
    }
}
