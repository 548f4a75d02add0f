//! Marks of a spool: which stream its bytes came from, and when. A record is 24 bytes on disk, little-endian:
//! `offset u64, time i64, stream u8, 7 × 0`; it holds up to the next record's offset.
//!
//! **Invariant:** offsets rise strictly; a record is on disk before the bytes it describes, so no byte is without one.

use domain::Timestamp;
use domain::console::view::Stream;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const RECORD: usize = 24;
/// Records kept in memory: what a reader near the end needs. Older ones are read back from the file.
const RECENT: usize = 1024;

/// From `offset` on, bytes are of this stream and arrived at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub offset: u64,
    pub time: Timestamp,
    pub stream: Stream,
}

/// The records of one spool.
#[derive(Default)]
pub(super) struct Marks {
    count: u64,
    recent: VecDeque<Record>,
}

impl Marks {
    /// Notes that bytes from `offset` on are of this stream and time; writes only where something changed.
    pub fn note(&mut self, file: &File, record: Record) -> io::Result<()> {
        if self
            .recent
            .back()
            .is_some_and(|l| l.stream == record.stream && l.time == record.time)
        {
            return Ok(());
        }
        // Bytes that could not be written leave a record without bytes behind: it is replaced.
        if self.recent.back().is_some_and(|l| l.offset == record.offset) {
            self.recent.pop_back();
            self.count -= 1;
        }
        file.write_all_at(&encode(record), self.count * RECORD as u64)?;
        self.count += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(record);
        Ok(())
    }

    /// The records that cover `from..to`, at most `most`; the first may begin before `from`.
    pub fn cover(&self, file: &File, from: u64, to: u64, most: usize) -> io::Result<Vec<Record>> {
        if self.recent.front().is_some_and(|r| r.offset <= from) {
            let first = self.recent.partition_point(|r| r.offset <= from) - 1;
            return Ok(self
                .recent
                .range(first..)
                .take_while(|r| r.offset < to)
                .take(most)
                .copied()
                .collect());
        }
        let mut first = self.before(file, from)?;
        let mut found = Vec::new();
        let mut block = [0; RECORD * 128];
        while first < self.count && found.len() < most {
            let n = (self.count - first).min(128) as usize;
            file.read_exact_at(&mut block[..n * RECORD], first * RECORD as u64)?;
            for raw in block[..n * RECORD].chunks_exact(RECORD) {
                let record = decode(raw);
                if record.offset >= to || found.len() == most {
                    return Ok(found);
                }
                found.push(record);
            }
            first += n as u64;
        }
        Ok(found)
    }

    /// Number of the last record at or before `offset`.
    fn before(&self, file: &File, offset: u64) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.count);
        let mut raw = [0; RECORD];
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            file.read_exact_at(&mut raw, middle * RECORD as u64)?;
            if decode(&raw).offset <= offset {
                low = middle
            } else {
                high = middle
            }
        }
        Ok(low)
    }

    /// Reads the records of an earlier run, up to `len` bytes of output.
    pub fn load(file: &File, len: u64) -> io::Result<Self> {
        let mut marks = Self {
            count: file.metadata()?.len() / RECORD as u64,
            recent: VecDeque::new(),
        };
        let mut raw = [0; RECORD];
        while marks.count > 0 {
            file.read_exact_at(&mut raw, (marks.count - 1) * RECORD as u64)?;
            let last = decode(&raw);
            if last.offset < len {
                marks.recent.push_back(last);
                break;
            }
            marks.count -= 1;
        }
        Ok(marks)
    }
}

fn encode(r: Record) -> [u8; RECORD] {
    let mut raw = [0; RECORD];
    raw[..8].copy_from_slice(&r.offset.to_le_bytes());
    raw[8..16].copy_from_slice(&r.time.0.to_le_bytes());
    raw[16] = u8::from(r.stream == Stream::Stderr);
    raw
}

fn decode(raw: &[u8]) -> Record {
    let word = |at: usize| {
        let mut w = [0; 8];
        w.copy_from_slice(&raw[at..at + 8]);
        w
    };
    Record {
        offset: u64::from_le_bytes(word(0)),
        time: Timestamp(i64::from_le_bytes(word(8))),
        stream: if raw[16] == 1 { Stream::Stderr } else { Stream::Stdout },
    }
}
