//! Making an index again from the bytes, after a crash or when it was cut short: lines are counted anew, times kept.
//!
//! **Invariant:** what comes out is what appending the same bytes with the same marks would have made.

use super::file::Files;
use super::index::{self, Cursor, Index};
use super::record::{Record, STRIDE};
use protocol::Digest;
use std::io;
use std::os::unix::fs::FileExt;

/// Counts and hashes the first `len` bytes, keeps marks and gaps of `old`, and writes the index file where it differs.
pub(super) fn rebuild(files: &Files, old: &Index, len: u64, hash: &mut Digest) -> io::Result<Index> {
    let times = index::records(&files.index, 0, old.end.records)?;
    let mut scan = Scan {
        files,
        hash,
        buf: Vec::new(),
        window: 0,
        at: 0,
        cursor: Index::default().end,
        out: Vec::new(),
    };
    for r in times {
        match r {
            Record::Mark { offset, time, stream } if offset < len => {
                scan.advance(offset)?;
                scan.cursor.take(offset, &[(offset, time, stream)], &[], &mut scan.out);
            }
            Record::Mark { .. } | Record::Gap(_) | Record::Stride { .. } | Record::End { .. } => {}
        }
    }
    scan.advance(len)?;
    let (mut records, mut cursor) = (scan.out, scan.cursor);
    // Gaps last: they stand by their offset, not by their place among records.
    records.extend(old.gaps.iter().map(|gap| Record::Gap(*gap)));
    cursor.records = records.len() as u64;
    let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
    let mut present = vec![0; bytes.len()];
    let same = files.index.metadata()?.len() == bytes.len() as u64
        && files.index.read_exact_at(&mut present, 0).is_ok()
        && present == bytes;
    if !same {
        files.index.write_all_at(&bytes, 0)?;
        files.index.set_len(bytes.len() as u64)?;
    }
    let mut fresh = Index::default();
    fresh.publish(&records, cursor);
    Ok(fresh)
}

struct Scan<'a> {
    files: &'a Files,
    hash: &'a mut Digest,
    /// Bytes read, the first of them at `window`.
    buf: Vec<u8>,
    window: u64,
    at: u64,
    cursor: Cursor,
    out: Vec<Record>,
}

impl Scan<'_> {
    fn advance(&mut self, to: u64) -> io::Result<()> {
        while self.at < to {
            let have = self.window + self.buf.len() as u64;
            if self.at >= have {
                self.buf.resize(STRIDE as usize, 0);
                let n = self.files.data.read_at(&mut self.buf, self.at)?;
                if n == 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the console became shorter while it was read",
                    ));
                }
                self.buf.truncate(n);
                self.window = self.at;
                continue;
            }
            let stop = to.min(have);
            let part = &self.buf[(self.at - self.window) as usize..(stop - self.window) as usize];
            self.hash.update(part, |_| {});
            self.cursor.take(self.at, &[], part, &mut self.out);
            self.at = stop;
        }
        Ok(())
    }
}
