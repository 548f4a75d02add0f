//! The index in memory: how many LFs lie before every 64 KiB, and where the records of each stretch are in the file.
//!
//! 16 bytes per 64 KiB of output: a console of 1 GB has an index of 256 KB. Times stay in the file.
//! **Invariant:** `strides[k]` is about byte `k × STRIDE`; there is one for every multiple up to the length.

use super::gap::Gaps;
use super::record::{Record, SIZE, STRIDE};
use domain::Timestamp;
use domain::console::view::Stream;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// What is known at a multiple of the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stride {
    /// LFs before it.
    pub lines: u64,
    /// Number of the first record about bytes from here on, in the index file.
    pub record: u64,
}

/// Where indexing stands: all that is needed to go on, and small enough to try a step on a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    /// Strides noted, the one at 0 included.
    pub strides: u64,
    /// Records in the file.
    pub records: u64,
    /// LFs in all.
    pub lines: u64,
    /// The mark that holds at the end.
    pub mark: Option<(Timestamp, Stream)>,
}

/// The index of one console.
#[derive(Debug)]
pub(super) struct Index {
    pub strides: Vec<Stride>,
    pub gaps: Gaps,
    pub end: Cursor,
}

impl Default for Index {
    fn default() -> Self {
        let end = Cursor {
            strides: 1,
            records: 0,
            lines: 0,
            mark: None,
        };
        Self {
            strides: vec![Stride { lines: 0, record: 0 }],
            gaps: Gaps::default(),
            end,
        }
    }
}

/// Marks of one stream that come closer than this are one: 50 a second tell as much as 100,000.
const COALESCE_MS: i64 = 20;

impl Cursor {
    fn next_stride(&self) -> u64 {
        self.strides * STRIDE
    }

    /// Takes bytes that begin at `from` with their marks; the records to write are added in order.
    pub fn take(&mut self, from: u64, marks: &[(u64, Timestamp, Stream)], bytes: &[u8], out: &mut Vec<Record>) {
        let before = out.len();
        let end = from + bytes.len() as u64;
        let mut at = from;
        let mut marks = marks.iter().copied().peekable();
        loop {
            let next = self.next_stride();
            // A mark that stands exactly on a stride belongs behind it.
            let mark = marks.next_if(|m| m.0 < next);
            let stop = mark.map_or(next.min(end), |m| m.0);
            let part = &bytes[(at - from) as usize..(stop - from) as usize];
            self.lines += memchr::memchr_iter(b'\n', part).count() as u64;
            at = stop;
            let (time, stream) = self.mark.unwrap_or_default();
            if let Some((offset, time, stream)) = mark {
                let same = self
                    .mark
                    .is_some_and(|(t, s)| s == stream && time.since(t).abs() < COALESCE_MS);
                if !same {
                    self.mark = Some((time, stream));
                    out.push(Record::Mark { offset, time, stream });
                }
            } else if at == next {
                self.strides += 1;
                out.push(Record::Stride {
                    offset: next,
                    time,
                    stream,
                    lines: self.lines,
                });
            } else {
                break;
            }
        }
        self.records += (out.len() - before) as u64;
    }
}

impl Index {
    /// Takes over records that a cursor made, and the cursor.
    pub fn publish(&mut self, records: &[Record], end: Cursor) {
        let first = end.records - records.len() as u64;
        for (i, r) in records.iter().enumerate() {
            match *r {
                Record::Stride { lines, .. } => self.strides.push(Stride {
                    lines,
                    record: first + i as u64 + 1,
                }),
                Record::Gap(gap) => self.gaps.put(gap),
                Record::Mark { .. } | Record::End { .. } => {}
            }
        }
        self.end = end;
    }
}

/// Reads an index file as far as it can be believed: records in order, about bytes below `len`.
/// The second value is the end record, if the last one is one.
pub(super) fn load(file: &mut File, len: u64) -> io::Result<(Index, Option<(u64, u64)>)> {
    let mut index = Index::default();
    let mut end = None;
    let mut last = 0;
    let mut reader = io::BufReader::with_capacity(SIZE * 4096, file);
    let mut buf = [0; SIZE];
    while read_whole(&mut reader, &mut buf)? {
        let Some(record) = Record::decode(&buf) else { break };
        // A gap may be heard of late, or before what comes before it.
        let free = matches!(record, Record::Gap(_));
        let fits = record.offset() >= last && (record.offset() <= len || matches!(record, Record::End { .. }));
        if !(fits || free) || end.is_some() {
            break;
        }
        if !free {
            last = record.offset();
        }
        let mut at = index.end;
        at.records += 1;
        match record {
            Record::Mark { time, stream, .. } => at.mark = Some((time, stream)),
            Record::Stride { offset, lines, .. } => {
                if offset != at.next_stride() {
                    break;
                }
                at.strides += 1;
                at.lines = lines;
            }
            Record::Gap(_) => {}
            Record::End { offset, digest } => {
                end = Some((offset, digest));
                continue;
            }
        }
        index.publish(&[record], at);
    }
    Ok((index, end.or(last_end(reader.get_ref())?)))
}

/// The end record behind records that are about bytes which are gone.
fn last_end(file: &File) -> io::Result<Option<(u64, u64)>> {
    let Some(at) = file
        .metadata()?
        .len()
        .checked_sub(SIZE as u64)
        .filter(|at| at % SIZE as u64 == 0)
    else {
        return Ok(None);
    };
    let mut buf = [0; SIZE];
    file.read_exact_at(&mut buf, at)?;
    Ok(match Record::decode(&buf) {
        Some(Record::End { offset, digest }) => Some((offset, digest)),
        _ => None,
    })
}

/// The records from number `from` up to `to` (not with it).
pub(super) fn records(file: &File, from: u64, to: u64) -> io::Result<Vec<Record>> {
    let mut buf = vec![0; (to.saturating_sub(from)) as usize * SIZE];
    file.read_exact_at(&mut buf, from * SIZE as u64)?;
    Ok(buf.chunks_exact(SIZE).filter_map(Record::decode).collect())
}

fn read_whole(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buf) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}
