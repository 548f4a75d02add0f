//! From bytes to styled lines, piece by piece: the same for the server's first paint and the browser's live tail.
//!
//! Lines are cut at LF bytes before the terminal parser sees them, so no escape sequence can swallow or make a line; an
//! unfinished sequence ends with its line, colours go on into the next.
//!
//! **Invariant:** however the bytes are cut into pieces, the lines are the same.

use super::line::Screen;
use super::pen::Pen;
use super::view::Run;

/// Turns bytes into styled lines as they come.
pub struct StyledLines {
    vt: vte::Parser,
    screen: Screen,
    /// Whether the line has any byte yet.
    begun: bool,
    /// The beginning of a character whose end has not come.
    held: Vec<u8>,
}

impl StyledLines {
    /// Begins at the start of a line, with the pen that the lines before left.
    #[must_use]
    pub fn new(pen: Pen) -> Self {
        Self {
            vt: vte::Parser::new(),
            screen: Screen::new(pen),
            begun: false,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes; `line` is called with each line they complete, in order.
    pub fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(Vec<Run>)) {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            self.advance(&rest[..at]);
            self.finish_character();
            line(self.screen.runs());
            self.screen.clear();
            self.vt = vte::Parser::new();
            self.begun = false;
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            self.begun = true;
            self.advance(rest);
        }
    }

    /// Hands whole characters to the terminal parser, so that cuts inside one do not show.
    fn advance(&mut self, bytes: &[u8]) {
        let joined;
        let bytes = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.held);
            &joined
        };
        let whole = bytes.len() - unfinished(bytes);
        self.vt.advance(&mut self.screen, &bytes[..whole]);
        self.held.extend_from_slice(&bytes[whole..]);
    }

    /// A character cut short by the end of its line becomes U+FFFD.
    fn finish_character(&mut self) {
        if !self.held.is_empty() {
            self.held.clear();
            self.vt.advance(&mut self.screen, "\u{fffd}".as_bytes());
        }
    }

    /// The unterminated line so far; `None` when the last byte was a LF or there was none.
    #[must_use]
    pub fn partial(&self) -> Option<Vec<Run>> {
        self.begun.then(|| self.screen.runs())
    }

    /// Whether the unterminated line shows anything.
    #[must_use]
    pub fn shows_partial(&self) -> bool {
        !self.screen.is_empty()
    }

    /// The pen as it stands.
    #[must_use]
    pub fn pen(&self) -> Pen {
        self.screen.pen
    }
}

/// Bytes at the end that begin a character and could still be completed: 0 to 3.
fn unfinished(bytes: &[u8]) -> usize {
    let start = bytes.len().saturating_sub(3);
    (start..bytes.len())
        .find(|i| {
            bytes[*i] >= 0xc2
                && std::str::from_utf8(&bytes[*i..]).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .map_or(0, |i| bytes.len() - i)
}

/// The lines of a whole slice, an unterminated one last, and the pen behind them.
#[must_use]
pub fn style_slice(bytes: &[u8], pen: Pen) -> (Vec<Vec<Run>>, Pen) {
    let mut parser = StyledLines::new(pen);
    let mut lines = Vec::new();
    parser.feed(bytes, |l| lines.push(l));
    lines.extend(parser.partial());
    (lines, parser.pen())
}

/// The pen that `bytes` leave: what a line must begin with when only some bytes before it are read.
#[must_use]
pub fn pen_after(bytes: &[u8], pen: Pen) -> Pen {
    // Only escape sequences move the pen; text between them need not be laid out.
    let mut parser = StyledLines::new(pen);
    for line in bytes.split(|b| *b == b'\n') {
        let mut rest = line;
        while let Some(at) = memchr::memchr(0x1b, rest) {
            let end = rest.len().min(at + 64);
            let stop = rest[at + 1..end]
                .iter()
                .position(|b| *b == 0x1b || b.is_ascii_alphabetic());
            let end = stop.map_or(end, |s| at + 1 + s + usize::from(rest[at + 1 + s] != 0x1b));
            parser.vt = vte::Parser::new();
            parser.vt.advance(&mut parser.screen, &rest[at..end]);
            parser.screen.clear();
            rest = &rest[end..];
        }
    }
    parser.pen()
}
