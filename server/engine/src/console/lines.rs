//! Line maths: from a step's extent and a line number to bytes and back, and to styled lines.
//!
//! A line is found by a binary search over the counts at every 64 KiB and one `memchr` scan of at most as much.
//! **Invariant:** line n of a step is the nth LF-terminated piece of its bytes; an unterminated tail is the last line.

use super::file::Console;
use super::index;
use super::record::{Record, STRIDE};
use super::{Extent, gap};
use domain::Timestamp;
use domain::console::view::{Line, Lines, Run, Stream};
use domain::console::{Pen, StyledLines, WIDTH, pen_after};
use std::io;
use std::sync::PoisonError;

/// Raw bytes that one answer looks at; longer answers hold fewer lines.
const BUDGET: u64 = 4 * 1024 * 1024;
/// Raw bytes that a tail looks at.
const TAIL_BUDGET: u64 = 512 * 1024;
/// How far back the colours of a line are looked for.
const LOOK_BACK: u64 = 64 * 1024;
/// Marks that one answer reads; a stretch with more shows no times.
const MARKS: u64 = 200_000;
/// Lines that one answer holds.
const LINES: u32 = 5_000;

/// The end of an extent.
#[derive(Debug, Clone, PartialEq)]
pub struct TailOf {
    /// Its last lines.
    pub lines: Lines,
    /// Byte offset in the file behind the last terminated line; a view goes on from here.
    pub end: u64,
    /// The colours that stand there.
    pub pen: Pen,
    /// Whether the last line is unterminated.
    pub open: bool,
}

/// LFs before a byte of the file.
fn lf_before(console: &Console, offset: u64) -> io::Result<u64> {
    let (k, lines) = {
        let index = console.index.read().unwrap_or_else(PoisonError::into_inner);
        let k = ((offset / STRIDE) as usize).min(index.strides.len() - 1);
        (k as u64, index.strides[k].lines)
    };
    let rest = console.read(k * STRIDE, (offset - k * STRIDE) as usize)?;
    Ok(lines + memchr::memchr_iter(b'\n', &rest).count() as u64)
}

/// The byte behind the nth LF of the file, 1-based; `None` when there are fewer.
fn behind_lf(console: &Console, n: u64) -> io::Result<Option<u64>> {
    let (k, lines) = {
        let index = console.index.read().unwrap_or_else(PoisonError::into_inner);
        if n > index.end.lines {
            return Ok(None);
        }
        let k = index.strides.partition_point(|s| s.lines < n) - 1;
        (k as u64, index.strides[k].lines)
    };
    let bytes = console.read(k * STRIDE, STRIDE as usize)?;
    let at = memchr::memchr_iter(b'\n', &bytes).nth((n - lines - 1) as usize);
    Ok(at.map(|at| k * STRIDE + at as u64 + 1))
}

/// An extent cut to what is stored, and what its lines are counted from.
struct Span {
    from: u64,
    end: u64,
    /// LFs of the file before it.
    before: u64,
    total: u64,
    /// Whether what is missing at its end belongs to a later step.
    followed: bool,
}

impl Span {
    fn of(console: &Console, extent: Extent) -> io::Result<Self> {
        let len = console.load()?.len;
        let (from, end) = (extent.from.min(len), extent.end().min(len));
        let before = lf_before(console, from)?;
        let mut total = lf_before(console, end)? - before;
        if end > from && console.read(end - 1, 1)? != b"\n" {
            total += 1;
        }
        Ok(Self {
            from,
            end,
            before,
            total,
            followed: extent.followed,
        })
    }

    /// Whether what is missing at its end is missing in it.
    fn ends(&self, console: &Console) -> bool {
        !self.followed && console.standing.borrow().len == self.end
    }

    /// Where line `n` begins, for `n` up to one behind the last.
    fn start(&self, console: &Console, n: u64) -> io::Result<u64> {
        if n <= 1 {
            return Ok(self.from);
        }
        Ok(behind_lf(console, self.before + n - 1)?.map_or(self.end, |at| at.min(self.end)))
    }
}

pub(super) fn count(console: &Console, extent: Extent) -> io::Result<u64> {
    Ok(Span::of(console, extent)?.total)
}

/// The pen at a byte: what the sequences in the stretch before it leave.
fn pen_at(console: &Console, span: &Span, at: u64) -> io::Result<Pen> {
    let from = at.saturating_sub(LOOK_BACK).max(span.from);
    Ok(pen_after(&console.read(from, (at - from) as usize)?, Pen::default()))
}

pub(super) fn lines(console: &Console, extent: Extent, first: u64, limit: u32) -> io::Result<Lines> {
    let span = Span::of(console, extent)?;
    page(console, &span, first, limit.min(LINES))
}

fn page(console: &Console, span: &Span, first: u64, limit: u32) -> io::Result<Lines> {
    let first = first.max(1);
    let behind = span.total.min(first.saturating_add(u64::from(limit)).saturating_sub(1));
    let mut out = Lines {
        items: Vec::new(),
        total: span.total as i64,
    };
    if first > behind {
        if span.total == 0 {
            out.items
                .extend(gaps(console, span.from, span.end, span.ends(console)).map(|g| g.1));
        }
        return Ok(out);
    }
    let start = span.start(console, first)?;
    let stop = span.start(console, behind + 1)?;
    let mut bytes = console.read(start, (stop - start).min(BUDGET) as usize)?;
    let mut texts: Vec<(u64, Vec<Run>)> = Vec::new();
    let pen = pen_at(console, span, start)?;
    if start + (bytes.len() as u64) < stop {
        // Too much for one answer: whole lines only; a giant one alone, folded.
        match memchr::memrchr(b'\n', &bytes) {
            Some(at) => bytes.truncate(at + 1),
            None => {
                let end = span.start(console, first + 1)?;
                texts.push((start, giant(console, start, end, pen)?));
                bytes.clear();
            }
        }
    }
    let mut parser = StyledLines::new(pen);
    let mut at = start;
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        let begins = at;
        at += piece.len() as u64;
        let mut text = None;
        parser.feed(piece, |l| text = Some(l));
        texts.push((begins, text.or_else(|| parser.partial()).unwrap_or_default()));
    }
    let mut times = Times::load(console, start, at.max(start + 1))?;
    let last = behind == span.total && texts.len() as u64 == behind + 1 - first;
    let mut gaps = gaps(console, start, at.max(start + 1), last && span.ends(console)).peekable();
    for (n, (begins, runs)) in (first as i64..).zip(texts) {
        while let Some((_, gap)) = gaps.next_if(|g| g.0 <= begins) {
            out.items.push(gap);
        }
        let (at, stream) = times.at(begins);
        out.items.push(Line::Text { n, at, stream, runs });
    }
    out.items.extend(gaps.map(|g| g.1));
    Ok(out)
}

/// Gaps in a stretch, in order; those that lie exactly at its end belong to what follows, if anything does.
fn gaps(console: &Console, start: u64, end: u64, with_end: bool) -> impl Iterator<Item = (u64, Line)> {
    let index = console.index.read().unwrap_or_else(PoisonError::into_inner);
    let here: Vec<_> = index
        .gaps
        .iter()
        .filter(|g| g.offset >= start && (g.offset < end || with_end && g.offset == end))
        .map(|g| {
            let reason = gap::sentence(g.reason).to_owned();
            let gap = g.size.and_then(|n| i64::try_from(n).ok());
            (g.offset, Line::Gap { gap, reason })
        })
        .collect();
    here.into_iter()
}

/// A line too long to read whole: what its last carriage return left, or its beginning, with a note of how much there is.
fn giant(console: &Console, start: u64, end: u64, pen: Pen) -> io::Result<Vec<Run>> {
    let tail_from = end.saturating_sub(WIDTH as u64).max(start);
    let tail = console.read(tail_from, (end - tail_from) as usize)?;
    let text = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let mut parser = StyledLines::new(pen);
    let rest = match memchr::memrchr(b'\r', text) {
        Some(at) => {
            parser.feed(&text[at + 1..], |_| {});
            0
        }
        None => {
            parser.feed(&console.read(start, WIDTH)?, |_| {});
            (end - start).saturating_sub(WIDTH as u64)
        }
    };
    let mut runs = parser.partial().unwrap_or_default();
    if rest > 0 {
        runs.push(Run {
            text: format!(" … {rest} more bytes in the raw console"),
            style: "dim italic".into(),
        });
    }
    Ok(runs)
}

pub(super) fn tail(console: &Console, extent: Extent, n: u32) -> io::Result<TailOf> {
    let span = Span::of(console, extent)?;
    let mut first = (span.total + 1).saturating_sub(u64::from(n)).max(1);
    let near = span.end.saturating_sub(TAIL_BUDGET);
    if span.start(console, first)? < near {
        // Few lines, but long ones: the first that begins near enough.
        first = (lf_before(console, near)?.saturating_sub(span.before) + 2).min(span.total.max(1));
    }
    let lines = page(console, &span, first, n)?;
    let open = span.end > span.from && console.read(span.end - 1, 1)? != b"\n";
    let end = if open {
        span.start(console, span.total)?
    } else {
        span.end
    };
    Ok(TailOf {
        lines,
        end,
        pen: pen_at(console, &span, end)?,
        open,
    })
}

/// Marks of a stretch, asked in rising order.
struct Times {
    marks: std::vec::IntoIter<Record>,
    next: Option<Record>,
    now: Option<(Timestamp, Stream)>,
}

impl Times {
    fn load(console: &Console, start: u64, end: u64) -> io::Result<Self> {
        let (from, to) = {
            let index = console.index.read().unwrap_or_else(PoisonError::into_inner);
            let of = |k: u64| index.strides.get(k as usize).map_or(index.end.records, |s| s.record);
            // From the stride's own record, which says what holds there.
            (of(start / STRIDE).saturating_sub(1), of(end.div_ceil(STRIDE)))
        };
        let none = Self {
            marks: Vec::new().into_iter(),
            next: None,
            now: None,
        };
        if to <= from || to - from > MARKS {
            return Ok(none);
        }
        let Some(files) = console.files(false)? else {
            return Ok(none);
        };
        let mut marks = index::records(&files.index, from, to)?.into_iter();
        Ok(Self {
            next: marks.next(),
            marks,
            now: None,
        })
    }

    fn at(&mut self, offset: u64) -> (Option<Timestamp>, Stream) {
        while let Some(r) = self.next.filter(|r| r.offset() <= offset) {
            if let Record::Mark { time, stream, .. } | Record::Stride { time, stream, .. } = r {
                self.now = Some((time, stream));
            }
            self.next = self.marks.next();
        }
        self.now
            .map_or((None, Stream::Stdout), |(t, s)| (Some(t).filter(|t| t.0 != 0), s))
    }
}
