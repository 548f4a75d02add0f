//! The spool: an attempt's output on the agent's disk, written before it is sent (DESIGN §6). A folder with `output`
//! (the bytes) and `marks`; made with the first byte, so that an attempt without output touches no disk.
//!
//! **Invariant:** offsets only grow; what was appended can be read back byte for byte until it is forgotten, and the
//! digest is that of all bytes ever appended.

mod blocks;
mod gaps;
mod marks;
mod streams;

pub use streams::{Stored, index, keep};

use blocks::Blocks;
use bytes::Bytes;
use domain::Timestamp;
use domain::console::view::Stream;
use marks::{Marks, Record};
use protocol::Mark;
use rustix::buffer::spare_capacity;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait in a spool for the server before [`Spool::room`] holds readers back.
pub const BOUND: u64 = 256 << 20;
/// Most marks in one piece, so that a frame stays below the protocol's limit.
const MARKS: usize = 4096;
/// Places written from at once: as many as any system takes.
const TOGETHER: usize = 1024;
/// Forgotten bytes are given back to the disk in stretches of this size.
const PUNCH: u64 = 4 << 20;

/// An attempt's output file with its marks. Clone-free: share it in an `Arc`.
pub struct Spool {
    folder: PathBuf,
    bell: Arc<Notify>,
    roomy: Notify,
    lifted: AtomicBool,
    len: AtomicU64,
    files: OnceLock<Files>,
    gaps: gaps::Noted,
    inner: Mutex<Inner>,
}

struct Files {
    output: File,
    marks: File,
}

struct Inner {
    marks: Marks,
    blocks: Blocks,
    forgotten: u64,
    punched: u64,
    fault: Option<(io::ErrorKind, String)>,
}

/// A stretch of output, ready for a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes.
    pub bytes: Bytes,
    /// Streams and times, the first at 0; empty only when `bytes` is.
    pub marks: Vec<Mark>,
}

impl Spool {
    /// A new spool that will live in `folder`; nothing is made on disk before the first byte.
    #[must_use]
    pub fn create(folder: impl Into<PathBuf>) -> Self {
        Self::with_bell(folder, Arc::new(Notify::new()))
    }

    /// As [`Spool::create`], ringing `bell` at every append; one bell may serve many spools and one listener.
    #[must_use]
    pub fn with_bell(folder: impl Into<PathBuf>, bell: Arc<Notify>) -> Self {
        Self {
            folder: folder.into(),
            bell,
            roomy: Notify::new(),
            lifted: AtomicBool::new(false),
            len: AtomicU64::new(0),
            files: OnceLock::new(),
            gaps: gaps::Noted::default(),
            inner: Mutex::new(Inner {
                marks: Marks::default(),
                blocks: Blocks::default(),
                forgotten: 0,
                punched: 0,
                fault: None,
            }),
        }
    }

    /// Opens what an earlier run left, to be read and appended to. Blocking.
    ///
    /// # Errors
    /// When the files cannot be opened; an attempt that wrote nothing has none.
    pub fn open(folder: impl Into<PathBuf>, bell: Arc<Notify>) -> io::Result<Self> {
        let spool = Self::with_bell(folder, bell);
        if spool.folder.join("output").exists() {
            let files = open_files(&spool.folder)?;
            let len = files.output.metadata()?.len();
            let mut inner = spool.lock();
            inner.marks = Marks::load(&files.marks, len)?;
            inner.blocks = Blocks::open(&spool.folder, &files.output, len)?;
            // What was given back to the disk is a hole now.
            let data = if inner.blocks.kept() > 0 {
                seek(&files.output, SeekFrom::Data(0)).unwrap_or(len)
            } else {
                0
            };
            (inner.forgotten, inner.punched) = (data, data);
            drop(inner);
            spool.len.store(len, Ordering::Release);
            let _ = spool.files.set(files);
        }
        spool.gaps.load(&spool.folder)?;
        Ok(spool)
    }

    /// Appends output that arrived at `at`; answers the offset behind it. It blocks only as long as a write to the page
    /// cache does, and may be called from any thread.
    ///
    /// # Errors
    /// When the disk refuses, a sentence that says so; the step must then fail. All later appends answer the same.
    pub fn append(&self, stream: Stream, at: Timestamp, bytes: &[u8]) -> io::Result<u64> {
        self.append_all(stream, at, &[bytes])
    }

    /// As [`Spool::append`], of what lies in several places.
    ///
    /// # Errors
    /// As there.
    pub fn append_all(&self, stream: Stream, at: Timestamp, pieces: &[&[u8]]) -> io::Result<u64> {
        let mut inner = self.lock();
        let len = self.len.load(Ordering::Acquire);
        if let Some((kind, sentence)) = &inner.fault {
            return Err(io::Error::new(*kind, sentence.clone()));
        }
        if pieces.iter().all(|p| p.is_empty()) {
            return Ok(len);
        }
        let record = Record {
            offset: len,
            time: at,
            stream,
        };
        let (written, result) = self.write(&mut inner, record, pieces);
        let (mut left, mut digested) = (written, Ok(()));
        for piece in pieces {
            let n = piece.len().min(left);
            digested = digested.and(inner.blocks.update(&self.folder, &piece[..n]));
            left -= n;
        }
        let len = len + written as u64;
        self.len.store(len, Ordering::Release);
        let result = result.and(digested).map_err(|e| {
            let sentence = sentence(&e);
            // What follows is not stored either, and nobody counts it.
            self.gap(None, protocol::GapReason::AgentDisk);
            inner.fault = Some((e.kind(), sentence.clone()));
            io::Error::new(e.kind(), sentence)
        });
        drop(inner);
        self.bell.notify_one();
        if result.is_err() {
            self.roomy.notify_waiters();
        }
        result.map(|()| len)
    }

    /// Writes from the record's offset on; answers how much went.
    fn write(&self, inner: &mut Inner, record: Record, pieces: &[&[u8]]) -> (usize, io::Result<()>) {
        let files = match self.made() {
            Ok(files) => files,
            Err(e) => return (0, Err(e)),
        };
        if let Err(e) = inner.marks.note(&files.marks, record) {
            return (0, Err(e));
        }
        let mut slices: Vec<_> = pieces.iter().map(|p| IoSlice::new(p)).collect();
        let (mut rest, mut written) = (&mut slices[..], 0);
        IoSlice::advance_slices(&mut rest, 0); // past empty ones
        while !rest.is_empty() {
            let some = &rest[..rest.len().min(TOGETHER)];
            match rustix::io::pwritev(&files.output, some, record.offset + written as u64) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    written += n;
                    IoSlice::advance_slices(&mut rest, n);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return (written, Err(e.into())),
            }
        }
        (written, Ok(()))
    }

    /// The files, made with the first byte.
    fn made(&self) -> io::Result<&Files> {
        if self.files.get().is_none() {
            DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)?;
            let _ = self.files.set(open_files(&self.folder)?);
        }
        self.files
            .get()
            .ok_or_else(|| io::Error::other("the spool's files are not there"))
    }

    /// Bytes appended so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Whether nothing was appended yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `max` bytes from `from` on, with their marks; an empty piece at the end.
    ///
    /// # Errors
    /// When `from` is forgotten already, or the disk refuses.
    pub fn read(&self, from: u64, max: usize) -> io::Result<Piece> {
        let (to, marks) = self.cover(from, max)?;
        let mut bytes = Vec::with_capacity((to - from) as usize);
        self.read_onto(&mut bytes, from, to)?;
        Ok(Piece {
            bytes: bytes.into(),
            marks,
        })
    }

    /// Where a piece of up to `max` bytes from `from` on ends, and its marks.
    ///
    /// # Errors
    /// When `from` is forgotten already, or the disk refuses.
    pub fn cover(&self, from: u64, max: usize) -> io::Result<(u64, Vec<Mark>)> {
        let (to, records) = {
            let inner = self.lock();
            if from < inner.forgotten {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "these bytes are at the server and forgotten here",
                ));
            }
            let to = self.len().min(from.saturating_add(max as u64));
            let Some(files) = self.files.get().filter(|_| from < to) else {
                return Ok((from, Vec::new()));
            };
            (to, inner.marks.cover(&files.marks, from, to, MARKS + 1)?)
        };
        let to = records.get(MARKS).map_or(to, |r| r.offset.min(to));
        let marks = records.iter().take(MARKS).map(|r| Mark {
            at: r.offset.saturating_sub(from) as u32,
            time: r.time,
            stream: r.stream,
        });
        Ok((to, marks.collect()))
    }

    /// Puts the bytes `from..to`, which are there, behind what `into` holds; fast when it has the room.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read_onto(&self, into: &mut Vec<u8>, mut from: u64, to: u64) -> io::Result<()> {
        let Some(files) = self.files.get() else { return Ok(()) };
        let end = into.len() + (to - from) as usize;
        into.reserve_exact((to - from) as usize);
        while from < to {
            match rustix::io::pread(&files.output, spare_capacity(into), from) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => from += n as u64,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        // There may have been more room, and more to read, than was asked for.
        into.truncate(end);
        Ok(())
    }

    /// Waits for the next append; one that came since the last call counts. For one listener.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }

    /// Waits until the server has taken enough of what waits here; readers of a step's output call it before they read
    /// on, so that a flood is held back in its pipe instead of filling the disk.
    pub async fn room(&self) {
        loop {
            let roomy = self.roomy.notified();
            if self.lifted.load(Ordering::Acquire) || self.len() - self.lock().forgotten < BOUND {
                return;
            }
            roomy.await;
        }
    }

    /// Lets [`Spool::room`] answer at once: the step is being killed, and what is left in its pipe is small.
    pub fn lift(&self) {
        self.lifted.store(true, Ordering::Release);
        self.roomy.notify_waiters();
    }

    /// Holds readers back again, for the next step.
    pub fn hold(&self) {
        self.lifted.store(false, Ordering::Release);
    }

    /// Waits until an append fails, if ever one does; answers its sentence.
    pub async fn failed(&self) -> String {
        loop {
            let changed = self.roomy.notified();
            if let Some(sentence) = self.fault() {
                return sentence;
            }
            changed.await;
        }
    }

    /// The [`protocol::Digest`] of all bytes so far, 16 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        self.lock().blocks.hex()
    }

    /// The sentence of the first failed append, if any.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.lock().fault.as_ref().map(|(_, sentence)| sentence.clone())
    }

    /// Brings what was appended to the disk itself. Blocking.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        self.files
            .get()
            .map_or(Ok(()), |f| f.output.sync_data().and(f.marks.sync_data()))
    }

    /// The server has everything below `upto` for good: it can go from here. Gives the disk back best effort.
    pub fn forget(&self, upto: u64) {
        let mut inner = self.lock();
        inner.forgotten = inner.forgotten.max(upto.min(self.len()));
        // Whole blocks alone: the rest is needed to take the digest up again.
        let upto = inner.forgotten.min(inner.blocks.kept());
        if upto >= inner.punched + PUNCH
            && let Some(files) = self.files.get()
        {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // A file system without holes keeps the bytes until the spool goes: harmless.
            let _ = fallocate(&files.output, flags, inner.punched, upto - inner.punched);
            inner.punched = upto;
        }
        drop(inner);
        self.roomy.notify_waiters();
    }

    /// Up to where bytes are the server's alone.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Removes the folder and all in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// The folder it lives in, once it has bytes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_files(folder: &Path) -> io::Result<Files> {
    let open = |name| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(name))
    };
    Ok(Files {
        output: open("output")?,
        marks: open("marks")?,
    })
}

/// What a person is told when a spool cannot be written.
fn sentence(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "The agent's disk is full: the output could not be stored. Free space below its data folder and run again."
                .into()
        }
        _ => format!("The agent could not store the output: {e}."),
    }
}

#[cfg(test)]
mod tests;
