//! From a shim's spool to the attempt's: frames are read, their bytes stored, and what is read given back to the disk.
//!
//! **Invariant:** while steps run, the attempt's output grows by what the frames hold and nothing else, so that after a kill
//! the place to go on at is found by counting: the first byte not in the output yet.

use super::home::Home;
use crate::clock;
use crate::executor::output::Sink;
use domain::Timestamp;
use domain::console::view::Stream;
use rustix::fs::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};
use shim::frame::{HEAD, Head, Kind, LONGEST};
use shim::since_boot;
use shim::wire::End;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes read at a time: some, while steps say little.
const SOME: usize = 32 * 1024;
/// Most: two of the longest frames.
const PIECE: usize = 2 * (HEAD + LONGEST);
/// What was read goes back to the disk in stretches of this size.
const PUNCH: u64 = 4 << 20;

/// What was seen of the steps so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The step whose command began last; 0 when none.
    pub started: i64,
    /// The end that came last.
    pub end: Option<End>,
    /// Whether the shim is gone, and nothing will follow.
    #[serde(skip)]
    pub gone: bool,
}

/// A place in the spool, and what belongs to it: kept on disk before anything below it is given back.
#[derive(Serialize, Deserialize)]
struct Mark {
    raw: u64,
    out: u64,
    seen: Seen,
}

/// The reader.
pub(super) struct Tail {
    file: File,
    mark: PathBuf,
    /// Up to here frames are read whole.
    pub at: u64,
    /// Bytes of the frame at `at` that are in the output already.
    ahead: usize,
    punched: u64,
    buf: Vec<u8>,
    pub seen: Seen,
}

impl Tail {
    /// Reads on from `at`, for an attempt that has had no step there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(home: &Home, at: u64) -> io::Result<Self> {
        Ok(Self {
            file: home.raw()?,
            mark: home.mark(),
            at,
            ahead: 0,
            punched: at,
            buf: Vec::new(),
            seen: Seen::default(),
        })
    }

    /// Finds the place behind the `stored` bytes of output, of which the first `base` came before the frame at `at`.
    /// Starts and ends on the way are seen again, which is harmless. Blocking.
    ///
    /// # Errors
    /// When the disk refuses, or what is there does not add up.
    pub fn find(home: &Home, at: u64, base: u64, stored: u64) -> io::Result<Self> {
        let mut tail = Self::new(home, at)?;
        let mut out = base;
        let mark = fs::read(&tail.mark)
            .ok()
            .and_then(|m| serde_json::from_slice::<Mark>(&m).ok());
        if let Some(mark) = mark.filter(|m| m.raw >= at && m.out >= base) {
            (tail.at, tail.punched, out, tail.seen) = (mark.raw, mark.raw, mark.out, mark.seen);
        }
        let mut raw = [0; HEAD];
        while let Some(head) = tail.head(&mut raw)? {
            let bytes = if matches!(head.kind, Kind::Out | Kind::Err) {
                head.len as u64
            } else {
                0
            };
            if bytes > 0 && out + bytes > stored {
                // In the midst of it, or before it.
                tail.ahead = usize::try_from(stored.saturating_sub(out)).unwrap_or_default();
                return Ok(tail);
            }
            if !tail.whole(&head)? {
                return Ok(tail);
            }
            out += bytes;
            if head.kind == Kind::Start {
                tail.seen.started = head.step;
            }
            if head.kind == Kind::End {
                let mut json = vec![0; head.len];
                tail.file.read_exact_at(&mut json, tail.at + HEAD as u64)?;
                tail.seen.end = serde_json::from_slice(&json).ok();
            }
            tail.at += (HEAD + head.len) as u64;
        }
        if out == stored {
            Ok(tail)
        } else {
            Err(io::Error::other("the shim's spool is shorter than what was read of it"))
        }
    }

    fn head(&self, raw: &mut [u8; HEAD]) -> io::Result<Option<Head>> {
        match self.file.read_exact_at(raw, self.at) {
            Ok(()) => Head::decode(raw).map_err(|_| broken()),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn whole(&self, head: &Head) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= self.at + (HEAD + head.len) as u64)
    }

    /// Reads what is there; whether anything was.
    ///
    /// # Errors
    /// When the spool cannot be read or is not one.
    pub async fn drain(&mut self, sink: &Sink) -> io::Result<bool> {
        if self.buf.is_empty() {
            self.buf.resize(SOME, 0);
        }
        let n = self.file.read_at(&mut self.buf, self.at)?;
        // What the frames' clock is to ours, now.
        let boot = clock::now().0 - millis(since_boot());
        let mut used = 0;
        let mut run: Option<(Stream, Timestamp)> = None;
        let mut pieces: Vec<&[u8]> = Vec::new();
        while let Some(head) = Head::decode(&self.buf[used..n]).map_err(|_| broken())? {
            let Some(body) = self
                .buf
                .get(used + HEAD..used + HEAD + head.len)
                .filter(|_| used + HEAD + head.len <= n)
            else {
                break;
            };
            used += HEAD + head.len;
            let stream = match head.kind {
                Kind::Out => Stream::Stdout,
                Kind::Err => Stream::Stderr,
                Kind::Start => {
                    self.seen.started = head.step;
                    continue;
                }
                Kind::End => {
                    self.seen.end = Some(serde_json::from_slice(body)?);
                    continue;
                }
            };
            let now = (stream, Timestamp(boot + millis(head.at)));
            if let Some((stream, at)) = run.filter(|r| *r != now) {
                sink.take_at(stream, at, &pieces).await;
                pieces.clear();
            }
            run = Some(now);
            pieces.push(&body[std::mem::take(&mut self.ahead).min(body.len())..]);
        }
        if let Some((stream, at)) = run {
            sink.take_at(stream, at, &pieces).await;
        }
        self.at += used as u64;
        if n == self.buf.len() && n < PIECE {
            // There may be more, and a frame may be longer.
            self.buf.resize(PIECE, 0);
            return Ok(true);
        }
        Ok(used > 0)
    }

    /// Gives the room for reading back, while steps say nothing.
    pub fn rest(&mut self) {
        self.buf = Vec::new();
    }

    /// Gives what was read back to the disk, when it is much; `stored` bytes are in the output by now.
    pub fn punch(&mut self, stored: u64) {
        if self.at - self.punched < PUNCH {
            return;
        }
        let mark = Mark {
            raw: self.at,
            out: stored,
            seen: self.seen.clone(),
        };
        let new = self.mark.with_extension("new");
        let kept = serde_json::to_vec(&mark).map_err(io::Error::from);
        let kept = kept
            .and_then(|m| fs::write(&new, m))
            .and_then(|()| fs::rename(&new, &self.mark));
        if kept.is_ok() {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // A file system without holes keeps the bytes until the shim goes: harmless.
            let _ = fallocate(&self.file, flags, self.punched, self.at - self.punched);
            self.punched = self.at;
        }
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the shim's spool is damaged")
}
