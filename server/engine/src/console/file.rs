//! One attempt's console: its two files, its index and where it stands.
//!
//! A write goes data, index, memory, in this order, and only then is the new length seen by anybody; so whatever fails on
//! the way is as if it had not happened, and the agent sends it again.
//!
//! **Invariant:** memory is behind the files, never ahead; after a crash the length of the data file is believed.

use super::gap::Gap;
use super::index::{self, Cursor, Index};
use super::rebuild::rebuild;
use super::record::{Record, SIZE, STRIDE};
use super::{Appended, Finished, Options, Standing};
use domain::AttemptId;
use protocol::{Digest, GapReason, Mark};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// The open files of a console.
pub(super) struct Files {
    pub data: File,
    pub index: File,
}

/// What only a writer needs.
struct Writer {
    /// Bytes in the file.
    len: u64,
    /// Bytes of the stream that have no place in the file: lost here, or beyond the limit.
    skipped: u64,
    /// Of all bytes of the stream, as long as `whole`.
    hash: Digest,
    whole: bool,
    /// Set once the console is complete: its digest, 0 where none was proved.
    digest: Option<u64>,
    /// Bytes of the file that are on disk for certain.
    synced: u64,
    /// After a sync that failed nobody knows what the disk holds: bytes from here on are written again before new ones.
    again: Option<u64>,
    /// The record of the limit's gap and its size, once the limit is reached; and whether the file says so yet.
    limit: Option<Beyond>,
}

#[derive(Clone, Copy)]
struct Beyond {
    record: u64,
    size: u64,
    noted: bool,
}

impl Writer {
    /// Bytes of the stream that have come.
    fn received(&self) -> u64 {
        self.len + self.skipped
    }

    /// The byte of the stream at a byte of the file that is not on disk for certain: all that is missing but what lies
    /// beyond the limit was missing before it.
    fn stream(&self, at: u64) -> u64 {
        at + self.skipped - self.limit.map_or(0, |l| l.size)
    }
}

/// One attempt's console.
pub(super) struct Console {
    pub attempt: AttemptId,
    path: PathBuf,
    files: Mutex<Option<Arc<Files>>>,
    writer: Mutex<Option<Writer>>,
    /// `writer` is there: the files have been looked at.
    known: AtomicBool,
    pub index: RwLock<Index>,
    pub standing: watch::Sender<Standing>,
    /// Waits for the next sync.
    pub dirty: AtomicBool,
    /// Its files are new in their folder.
    fresh: AtomicBool,
    /// When it was last used, in the store's count.
    pub touched: AtomicU64,
    options: Options,
}

/// A lock whose holder panicked guards data that is whole all the same: it is changed last, at once.
pub(super) fn locked<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    pub fn new(dir: &Path, attempt: AttemptId, options: Options) -> Self {
        let path = dir.join((attempt.0 / 1000).to_string()).join(format!("{attempt}.out"));
        Self {
            attempt,
            path,
            files: Mutex::default(),
            writer: Mutex::default(),
            known: AtomicBool::new(false),
            index: RwLock::default(),
            standing: watch::Sender::new(Standing::default()),
            dirty: AtomicBool::new(false),
            fresh: AtomicBool::new(false),
            touched: AtomicU64::new(0),
            options,
        }
    }

    /// The open files; `None` when there are none and none are to be made.
    pub fn files(&self, create: bool) -> io::Result<Option<Arc<Files>>> {
        let mut held = locked(&self.files);
        if let Some(f) = &*held {
            return Ok(Some(Arc::clone(f)));
        }
        let index_path = self.path.with_extension("idx");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false);
        let data = match options.open(&self.path) {
            Ok(f) => f,
            Err(e) if e.kind() == io::ErrorKind::NotFound && create => {
                fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
                options.open(&self.path)?
            }
            // An index without data is a file that was lost: it still says how much there was.
            Err(e) if e.kind() == io::ErrorKind::NotFound && index_path.exists() => {
                options.create(true).open(&self.path)?
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let index = options.create(true).open(index_path)?;
        if create {
            self.fresh.store(true, Ordering::Release);
        }
        let files = Arc::new(Files { data, index });
        *held = Some(Arc::clone(&files));
        Ok(Some(files))
    }

    /// Lets go of the open files; whoever reads at this moment keeps them for as long as that takes.
    pub fn close_files(&self) {
        locked(&self.files).take();
    }

    pub fn has_files(&self) -> bool {
        locked(&self.files).is_some()
    }

    /// Makes sure that what is on disk is known, and says where the console stands.
    pub fn load(&self) -> io::Result<Standing> {
        // Once it is known, readers do not stand in the writer's way, nor it in theirs.
        if !self.known.load(Ordering::Acquire) {
            drop(self.writer()?);
        }
        Ok(*self.standing.borrow())
    }

    fn writer(&self) -> io::Result<MutexGuard<'_, Option<Writer>>> {
        let mut held = locked(&self.writer);
        if held.is_none() {
            *held = Some(self.recover()?);
            self.known.store(true, Ordering::Release);
        }
        Ok(held)
    }

    /// Reads index and data of a console that this process has not touched yet.
    fn recover(&self) -> io::Result<Writer> {
        let fresh = || Writer {
            len: 0,
            skipped: 0,
            hash: Digest::default(),
            whole: true,
            digest: None,
            synced: 0,
            again: None,
            limit: None,
        };
        let Some(files) = self.files(false)? else {
            return Ok(fresh());
        };
        let len = files.data.metadata()?.len();
        let (mut index, end) = index::load(&mut files.index.try_clone()?, len)?;
        // What an earlier process wrote is read back from the disk or its cache: if it had failed to sync, it is told so
        // again only by the agent, which still has what was not acknowledged.
        let mut writer = Writer {
            len,
            synced: len,
            ..fresh()
        };
        let ended = end.is_some();
        let counted = index.end.strides == len / STRIDE + 1;
        if let Some((_, digest)) = end.filter(|(at, _)| *at == len && counted) {
            // Complete: the counts are believed, only what lies behind the last of them is counted.
            let from = (index.end.strides - 1) * STRIDE;
            let mut rest = vec![0; (len - from) as usize];
            files.data.read_exact_at(&mut rest, from)?;
            index.end.lines += memchr::memchr_iter(b'\n', &rest).count() as u64;
            writer.digest = Some(digest);
        } else {
            index = rebuild(&files, &index, len, &mut writer.hash)?;
            if let Some((at, _)) = end.filter(|(at, _)| *at > len) {
                // It was complete and has been cut or lost since: say so in its place, for ever.
                let digest = writer.hash.value();
                let gap = Record::Gap(Gap {
                    offset: len,
                    size: Some(at - len),
                    reason: GapReason::File,
                    k: 0,
                    skips: true,
                });
                let mut cursor = index.end;
                let bytes = [gap.encode(), Record::End { offset: len, digest }.encode()].concat();
                files.index.write_all_at(&bytes, cursor.records * SIZE as u64)?;
                cursor.records += 1;
                index.publish(&[gap], cursor);
                writer.digest = Some(digest);
            }
        }
        writer.skipped = index.gaps.skipped(u64::MAX);
        // The hash is of the file; it is that of the stream only where nothing of the stream is missing.
        writer.whole = writer.skipped == 0;
        writer.limit = beyond(&files, &index)?;
        let gaps = index.gaps.iter().count() as u64;
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        // That it has ended may have been said before its files were looked at.
        self.standing.send_modify(|s| {
            *s = Standing {
                len,
                ended: ended || s.ended,
                gaps,
            }
        });
        Ok(writer)
    }

    pub fn append(&self, offset: u64, marks: &[Mark], bytes: &[u8]) -> io::Result<Appended> {
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

    /// Counts bytes that are beyond the limit: they are taken, so that the step goes on, and not kept.
    fn drop_beyond(&self, w: &mut Writer, bytes: &[u8]) -> io::Result<()> {
        let more = bytes.len() as u64;
        match &mut w.limit {
            Some(beyond) => {
                beyond.size += more;
                beyond.noted = false;
                let size = beyond.size;
                self.index
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .gaps
                    .grow_limit(size);
            }
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

    /// Notes that bytes are missing before byte `at` of the stream; one of this number is known already.
    pub fn gap(&self, gap: protocol::Gap) -> io::Result<()> {
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
    pub fn gone(&self, from: u64, to: u64) -> io::Result<u64> {
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
            Some(beyond) => {
                beyond.size += size;
                beyond.noted = false;
                let size = beyond.size;
                self.index
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .gaps
                    .grow_limit(size);
            }
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
    fn put_gap(&self, gap: Gap) -> io::Result<()> {
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

    fn indexed(&self) -> Cursor {
        self.index.read().unwrap_or_else(PoisonError::into_inner).end
    }

    fn write_records(&self, files: &Files, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let at = self.indexed().records;
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        files.index.write_all_at(&bytes, at * SIZE as u64)
    }

    pub fn finish(&self, length: u64, digest: u64) -> io::Result<Finished> {
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
    pub fn finish_differing(&self) -> io::Result<()> {
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
    pub fn make_durable(&self) -> io::Result<u64> {
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
    pub fn wanted(&self) -> Option<u64> {
        let held = locked(&self.writer);
        let w = held.as_ref()?;
        w.again.map(|again| w.stream(again))
    }

    /// How large the limit's gap is by now, where the file does not say so yet.
    fn note_limit(&self, w: &mut Writer, files: &Files) -> io::Result<()> {
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

    fn sync(&self, files: &Files) -> io::Result<()> {
        (self.options.sync)(&files.data)?;
        if self.fresh.swap(false, Ordering::AcqRel) {
            for dir in self.path.ancestors().skip(1).take(2) {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    }

    pub fn ended(&self) {
        self.standing.send_modify(|s| s.ended = true);
    }

    /// Bytes of the stream that have come.
    pub fn received(&self) -> io::Result<u64> {
        Ok(self.writer()?.as_ref().map_or(0, Writer::received))
    }

    /// Bytes from `from` on, at most `max`, no more than there are.
    pub fn read(&self, from: u64, max: usize) -> io::Result<Vec<u8>> {
        let standing = self.load()?;
        let n = standing.len.saturating_sub(from).min(max as u64) as usize;
        let mut buf = vec![0; n];
        if n > 0 {
            let Some(files) = self.files(false)? else {
                return Ok(Vec::new());
            };
            files.data.read_exact_at(&mut buf, from)?;
        }
        Ok(buf)
    }
}

/// The record of the limit's gap, if the limit was reached.
fn beyond(files: &Files, index: &Index) -> io::Result<Option<Beyond>> {
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

/// Marks as they stand in the part behind `skip`: the one that holds there, then the later ones.
fn kept(marks: &[Mark], skip: usize) -> impl Iterator<Item = (u64, &Mark)> {
    let first = marks.iter().rposition(|m| m.at as usize <= skip).unwrap_or(0);
    marks[first.min(marks.len())..]
        .iter()
        .map(move |m| ((m.at as usize).saturating_sub(skip) as u64, m))
}
