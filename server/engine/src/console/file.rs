//! One attempt's console: its two files, its index and where it stands.
//!
//! A write goes data, index, memory, in this order, and only then is the new length seen by anybody; so whatever fails on
//! the way is as if it had not happened, and the agent sends it again.
//!
//! **Invariant:** memory is behind the files, never ahead; after a crash the length of the data file is believed.

use super::index::{self, Cursor, Index};
use super::rebuild::rebuild;
use super::record::{Record, SIZE, STRIDE};
use super::{Appended, Finished, GapReason, Standing};
use domain::AttemptId;
use protocol::Digest;
use protocol::Mark;
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
    len: u64,
    hash: Digest,
    /// Set once the console is complete: its digest.
    digest: Option<u64>,
    /// A disk that failed once is not trusted with more.
    broken: bool,
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
}

/// A lock whose holder panicked guards data that is whole all the same: it is changed last, at once.
pub(super) fn locked<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    pub fn new(dir: &Path, attempt: AttemptId) -> Self {
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
            hash: Digest::default(),
            digest: None,
            broken: false,
        };
        let Some(files) = self.files(false)? else {
            return Ok(fresh());
        };
        let len = files.data.metadata()?.len();
        let (mut index, end) = index::load(&mut files.index.try_clone()?, len)?;
        let mut writer = Writer { len, ..fresh() };
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
                let gap = Record::Gap {
                    offset: len,
                    size: at - len,
                    reason: GapReason::File as u64,
                };
                let mut cursor = index.end;
                let bytes = [gap.encode(), Record::End { offset: len, digest }.encode()].concat();
                files.index.write_all_at(&bytes, cursor.records * SIZE as u64)?;
                cursor.records += 1;
                index.publish(&[gap], cursor);
                writer.digest = Some(digest);
            }
        }
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        // That it has ended may have been said before its files were looked at.
        self.standing.send_modify(|s| {
            *s = Standing {
                len,
                ended: ended || s.ended,
            }
        });
        Ok(writer)
    }

    pub fn append(&self, offset: u64, marks: &[Mark], bytes: &[u8]) -> io::Result<Appended> {
        let mut held = self.writer()?;
        let Some(w) = held.as_mut() else {
            return Err(io::Error::other("the console is not loaded"));
        };
        let end = offset + bytes.len() as u64;
        if offset > w.len {
            return Ok(Appended::Gap { expected: w.len });
        }
        if end <= w.len || w.digest.is_some() {
            return Ok(Appended::Duplicate { received: w.len });
        }
        if w.broken {
            return Err(io::Error::other("the disk has failed this console before"));
        }
        let skip = (w.len - offset) as usize;
        let new = &bytes[skip..];
        let marks: Vec<_> = kept(marks, skip).map(|m| (w.len + m.0, m.1.time, m.1.stream)).collect();
        let Some(files) = self.files(true)? else {
            return Err(io::Error::other("the console has no file"));
        };
        let mut at = self.indexed();
        let mut records = Vec::new();
        at.take(w.len, &marks, new, &mut records);
        files.data.write_all_at(new, w.len)?;
        self.write_records(&files, &records)?;
        w.hash.update(new, |_| {});
        w.len = end;
        self.index
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .publish(&records, at);
        self.standing.send_modify(|s| s.len = end);
        Ok(Appended::Received { received: end })
    }

    /// Notes that bytes are missing at the present end.
    pub fn gap(&self, size: u64, reason: GapReason) -> io::Result<()> {
        let held = self.writer()?;
        let Some(files) = self.files(true)? else { return Ok(()) };
        let len = held.as_ref().map_or(0, |w| w.len);
        let record = Record::Gap {
            offset: len,
            size,
            reason: reason as u64,
        };
        let mut at = self.indexed();
        self.write_records(&files, &[record])?;
        at.records += 1;
        self.index
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .publish(&[record], at);
        self.standing.send_modify(|_| {});
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
        let have = Finished::Mismatch { have: w.len };
        if w.len != length || w.digest.unwrap_or_else(|| w.hash.value()) != digest {
            return Ok(have);
        }
        if w.digest.is_none()
            && length > 0
            && let Some(files) = self.files(true)?
        {
            self.sync(&files)?;
            self.write_records(&files, &[Record::End { offset: length, digest }])?;
        }
        w.digest = Some(digest);
        self.standing.send_modify(|s| s.ended = true);
        Ok(Finished::Complete)
    }

    /// Puts on disk what is written, and the folder's entry the first time; the length that is durable comes back.
    pub fn make_durable(&self) -> io::Result<u64> {
        let len = self.standing.borrow().len;
        if let Some(files) = self.files(false)?
            && let Err(e) = self.sync(&files)
        {
            // After a failed sync nobody knows what the disk holds: nothing more is taken, nothing acknowledged.
            if let Some(w) = locked(&self.writer).as_mut() {
                w.broken = true;
            }
            return Err(e);
        }
        Ok(len)
    }

    fn sync(&self, files: &Files) -> io::Result<()> {
        files.data.sync_data()?;
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

/// Marks as they stand in the part behind `skip`: the one that holds there, then the later ones.
fn kept(marks: &[Mark], skip: usize) -> impl Iterator<Item = (u64, &Mark)> {
    let first = marks.iter().rposition(|m| m.at as usize <= skip).unwrap_or(0);
    marks[first.min(marks.len())..]
        .iter()
        .map(move |m| ((m.at as usize).saturating_sub(skip) as u64, m))
}
