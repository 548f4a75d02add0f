//! One attempt's console: its two files, its index and where it stands.
//!
//! A write goes data, index, memory, in this order, and only then is the new length seen by anybody; so whatever fails on
//! the way is as if it had not happened, and the agent sends it again.
//!
//! **Invariant:** memory is behind the files, never ahead; after a crash the length of the data file is believed.

mod missing;
mod write;

use super::gap::Gap;
use super::index::{self, Cursor, Index};
use super::rebuild::rebuild;
use super::record::{Record, SIZE, STRIDE};
use super::{Options, Standing};
use domain::AttemptId;
use protocol::{Digest, GapReason};
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
        writer.limit = missing::beyond(&files, &index)?;
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
