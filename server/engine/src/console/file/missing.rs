//! Bytes that are missing: told by the agent, lost here, or beyond the limit.
//!
//! **Invariant:** a gap is on disk before anybody is told that what follows it is.

use super::super::gap::Gap;
use super::super::index::{self, Index};
use super::super::record::{Record, SIZE};
use super::{Beyond, Console, Files, Writer};
use protocol::GapReason;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::PoisonError;

impl Console {
    /// Counts bytes that are beyond the limit: they are taken, so that the step goes on, and not kept.
    pub(super) fn drop_beyond(&self, w: &mut Writer, bytes: &[u8]) -> io::Result<()> {
        let more = bytes.len() as u64;
        match &mut w.limit {
            Some(beyond) => self.grow(beyond, more),
            None => {
                let record = self.indexed().records;
                self.put_gap(Gap {
                    offset: w.len,
                    size: Some(more),
                    reason: GapReason::Limit,
                    k: 0,
                    skips: true,
                })?;
                w.limit = Some(Beyond {
                    record,
                    size: more,
                    noted: true,
                });
            }
        }
        w.hash.update(bytes, |_| {});
        w.skipped += more;
        Ok(())
    }

    /// So many bytes more are beyond the limit.
    fn grow(&self, beyond: &mut Beyond, more: u64) {
        beyond.size += more;
        beyond.noted = false;
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.gaps.grow_limit(beyond.size);
    }

    /// Notes that bytes are missing before byte `at` of the stream; one of this number is known already.
    pub(in crate::console) fn gap(&self, gap: protocol::Gap) -> io::Result<()> {
        let held = self.writer()?;
        if held.as_ref().is_none_or(|w| w.digest.is_some()) || gap.k == 0 || gap.k > protocol::GAPS_MAX {
            return Ok(());
        }
        let offset = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            if index.gaps.knows(gap.k) {
                return Ok(());
            }
            index.gaps.in_file(gap.at)
        };
        self.put_gap(Gap {
            offset,
            size: gap.size,
            reason: gap.reason,
            k: gap.k,
            skips: false,
        })
    }

    /// Notes that the stream goes on at `to`, and that what lies between here and there is nowhere any more; the byte of
    /// the stream that is wanted next comes back.
    pub(in crate::console) fn gone(&self, from: u64, to: u64) -> io::Result<u64> {
        let mut held = self.writer()?;
        let Some(w) = held.as_mut() else {
            return Err(io::Error::other("the console is not loaded"));
        };
        if w.digest.is_some() || w.again.is_some() || from != w.received() || to <= from {
            return Ok(w.received());
        }
        let size = to - from;
        match &mut w.limit {
            // Beyond the limit nothing is kept anyway.
            Some(beyond) => self.grow(beyond, size),
            None => self.put_gap(Gap {
                offset: w.len,
                size: Some(size),
                reason: GapReason::File,
                k: 0,
                skips: true,
            })?,
        }
        w.skipped += size;
        w.whole = false;
        Ok(w.received())
    }

    /// Writes a gap into the index, on disk and in memory.
    pub(super) fn put_gap(&self, gap: Gap) -> io::Result<()> {
        let Some(files) = self.files(true)? else {
            return Err(io::Error::other("the console has no file"));
        };
        let mut at = self.indexed();
        let record = Record::Gap(gap);
        self.write_records(&files, &[record])?;
        files.index.sync_data()?;
        at.records += 1;
        self.index
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .publish(&[record], at);
        self.standing.send_modify(|s| s.gaps += 1);
        Ok(())
    }

    /// How large the limit's gap is by now, where the file does not say so yet.
    pub(super) fn note_limit(&self, w: &mut Writer, files: &Files) -> io::Result<()> {
        let Some(beyond) = w.limit.as_mut().filter(|b| !b.noted) else {
            return Ok(());
        };
        let record = Record::Gap(Gap {
            offset: w.len,
            size: Some(beyond.size),
            reason: GapReason::Limit,
            k: 0,
            skips: true,
        });
        files
            .index
            .write_all_at(&record.encode(), beyond.record * SIZE as u64)?;
        files.index.sync_data()?;
        beyond.noted = true;
        Ok(())
    }
}

/// The record of the limit's gap, if the limit was reached.
pub(super) fn beyond(files: &Files, index: &Index) -> io::Result<Option<Beyond>> {
    if !index.gaps.iter().any(|g| g.skips && g.reason == GapReason::Limit) {
        return Ok(None);
    }
    let records = index::records(&files.index, 0, index.end.records)?;
    let found = records.iter().zip(0..).find_map(|(r, record)| match r {
        Record::Gap(g) if g.skips && g.reason == GapReason::Limit => Some(Beyond {
            record,
            size: g.size.unwrap_or(0),
            noted: true,
        }),
        _ => None,
    });
    Ok(found)
}
