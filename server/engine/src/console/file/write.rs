//! Taking bytes, making them durable, closing the console.
//!
//! **Invariant:** after a sync that failed nothing new is taken before what is not on disk for certain has come again.

use super::super::gap::Gap;
use super::super::record::Record;
use super::super::{Appended, Finished};
use super::{Console, Files, Writer, locked};
use protocol::{GapReason, Mark};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

impl Console {
    pub(in crate::console) fn append(&self, offset: u64, marks: &[Mark], bytes: &[u8]) -> io::Result<Appended> {
        let mut held = self.writer()?;
        let Some(w) = held.as_mut() else {
            return Err(io::Error::other("the console is not loaded"));
        };
        let end = offset.saturating_add(bytes.len() as u64);
        if let Some(again) = w.again {
            let wanted = w.stream(again);
            if offset > wanted {
                return Ok(Appended::Gap { expected: wanted });
            }
            self.write_again(w, again, bytes.get((wanted - offset) as usize..).unwrap_or_default())?;
        }
        let received = w.received();
        if offset > received {
            return Ok(Appended::Gap { expected: received });
        }
        if end <= received || w.digest.is_some() || w.again.is_some() {
            return Ok(Appended::Duplicate { received });
        }
        let skip = (received - offset) as usize;
        let new = &bytes[skip..];
        let room = self.options.limit.saturating_sub(w.len);
        let kept_len = new.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let (new, beyond) = if w.limit.is_some() {
            (&new[..0], new)
        } else {
            new.split_at(kept_len)
        };
        if !new.is_empty() {
            let marks: Vec<_> = kept(marks, skip)
                .map(|m| (w.len + m.0, m.1.time, m.1.stream))
                .filter(|m| m.0 < w.len + new.len() as u64)
                .collect();
            let Some(files) = self.files(true)? else {
                return Err(io::Error::other("the console has no file"));
            };
            let mut at = self.indexed();
            let mut records = Vec::new();
            at.take(w.len, &marks, new, &mut records);
            files.data.write_all_at(new, w.len)?;
            self.write_records(&files, &records)?;
            w.hash.update(new, |_| {});
            w.len += new.len() as u64;
            self.index
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .publish(&records, at);
            self.standing.send_modify(|s| s.len = w.len);
        }
        if !beyond.is_empty() {
            self.drop_beyond(w, beyond)?;
        }
        Ok(Appended::Received { received: w.received() })
    }

    /// Writes bytes once more in their place, after a sync that failed.
    fn write_again(&self, w: &mut Writer, again: u64, bytes: &[u8]) -> io::Result<()> {
        let n = bytes.len().min((w.len - again) as usize);
        if let Some(files) = self.files(true)? {
            files.data.write_all_at(&bytes[..n], again)?;
        }
        let at = again + n as u64;
        w.again = (at < w.len).then_some(at);
        Ok(())
    }

    pub(in crate::console) fn finish(&self, length: u64, digest: u64) -> io::Result<Finished> {
        let mut held = self.writer()?;
        let Some(w) = held.as_mut() else {
            return Err(io::Error::other("the console is not loaded"));
        };
        if let Some(again) = w.again {
            return Ok(Finished::Mismatch { have: w.stream(again) });
        }
        if w.received() != length {
            return Ok(Finished::Mismatch { have: w.received() });
        }
        let proved = match w.digest {
            Some(known) => known == digest,
            None => w.whole && w.hash.value() == digest,
        };
        if !proved && w.whole && w.digest.is_none() {
            return Ok(Finished::Mismatch { have: length });
        }
        self.close(w, if proved { digest } else { 0 })?;
        Ok(if proved { Finished::Complete } else { Finished::Unproved })
    }

    /// Closes it although what is stored is not what the agent says it wrote: that is said at its end.
    pub(in crate::console) fn finish_differing(&self) -> io::Result<()> {
        let mut held = self.writer()?;
        let Some(w) = held.as_mut().filter(|w| w.digest.is_none()) else {
            return Ok(());
        };
        self.put_gap(Gap {
            offset: w.len,
            size: None,
            reason: GapReason::Differs,
            k: 0,
            skips: false,
        })?;
        self.close(w, 0)
    }

    fn close(&self, w: &mut Writer, digest: u64) -> io::Result<()> {
        if w.digest.is_none()
            && w.received() > 0
            && let Some(files) = self.files(true)?
        {
            self.note_limit(w, &files)?;
            if let Err(e) = self.sync(&files) {
                w.again = (w.synced < w.len).then_some(w.synced);
                return Err(e);
            }
            self.write_records(&files, &[Record::End { offset: w.len, digest }])?;
        }
        w.digest = Some(digest);
        self.standing.send_modify(|s| s.ended = true);
        Ok(())
    }

    /// Puts on disk what is written, and the folder's entry the first time; how far the stream is durable comes back.
    pub(in crate::console) fn make_durable(&self) -> io::Result<u64> {
        let (upto, told) = {
            let mut held = self.writer()?;
            let Some(w) = held.as_mut() else { return Ok(0) };
            if let Some(files) = self.files(false)? {
                self.note_limit(w, &files)?;
            }
            match w.again {
                Some(again) => (again, w.stream(again)),
                None => (w.len, w.received()),
            }
        };
        let synced = match self.files(false)? {
            Some(files) => self.sync(&files),
            None => Ok(()),
        };
        if let Some(w) = locked(&self.writer).as_mut() {
            match &synced {
                Ok(()) => w.synced = w.synced.max(upto),
                // From what is on disk for certain the agent is asked to send again; it keeps what is not acknowledged.
                Err(_) if w.digest.is_none() && w.synced < w.len => {
                    w.again = Some(w.again.map_or(w.synced, |again| again.min(w.synced)));
                }
                Err(_) => {}
            }
        }
        synced.map(|()| told)
    }

    /// From where output is wanted once more, after a sync that failed.
    pub(in crate::console) fn wanted(&self) -> Option<u64> {
        let held = locked(&self.writer);
        let w = held.as_ref()?;
        w.again.map(|again| w.stream(again))
    }

    fn sync(&self, files: &Files) -> io::Result<()> {
        (self.options.sync)(&files.data)?;
        if self.fresh.swap(false, Ordering::AcqRel) {
            for dir in self.path.ancestors().skip(1).take(2) {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Bytes of the stream that have come.
    pub(in crate::console) fn received(&self) -> io::Result<u64> {
        Ok(self.writer()?.as_ref().map_or(0, Writer::received))
    }
}

/// Marks as they stand in the part behind `skip`: the one that holds there, then the later ones.
fn kept(marks: &[Mark], skip: usize) -> impl Iterator<Item = (u64, &Mark)> {
    let first = marks.iter().rposition(|m| m.at as usize <= skip).unwrap_or(0);
    marks[first.min(marks.len())..]
        .iter()
        .map(move |m| ((m.at as usize).saturating_sub(skip) as u64, m))
}
