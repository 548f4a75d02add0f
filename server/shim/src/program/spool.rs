//! The spool as the shim writes it: frames, one behind the other, and what to do when they do not fit.
//!
//! **Invariant:** what was taken from a pipe is stored, waits here for room on the disk, or is counted as dropped; the
//! agent is never more than the bound behind.

use shim::frame::{HEAD, Head, Kind, LONGEST};
use shim::wire::End;
use shim::{record, since_boot};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The spool with its record.
pub(super) struct Spool {
    file: File,
    record: File,
    pub written: u64,
    pub bound: u64,
    read: u64,
    /// What the disk has refused so far; it goes before anything else.
    pending: Vec<u8>,
    /// The error number with which it did.
    pub stalled: Option<i32>,
    /// Bytes of output given up in this step.
    pub dropped: u64,
    /// A frame in the making.
    buf: Vec<u8>,
}

impl Spool {
    pub fn new([file, record]: [File; 2]) -> Self {
        Self {
            file,
            record,
            written: 0,
            bound: 8 << 20,
            read: 0,
            pending: Vec::new(),
            stalled: None,
            dropped: 0,
            buf: Vec::new(),
        }
    }

    /// Whether the agent has to read first.
    pub fn blocked(&self) -> bool {
        self.written.saturating_sub(self.read) >= self.bound
    }

    /// Whether the disk refuses.
    pub fn stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Whether more may be read from pipes.
    pub fn takes(&self) -> bool {
        !self.blocked() && !self.stalled()
    }

    pub fn read_to(&mut self, upto: u64) {
        self.read = self.read.max(upto.min(self.written));
    }

    /// Stores a frame whose bytes `fill` puts into the room it is given; answers what `fill` does.
    pub fn frame<R>(&mut self, kind: Kind, step: i64, fill: impl FnOnce(&mut [u8]) -> (usize, R)) -> R {
        self.buf.resize(HEAD + LONGEST, 0);
        let (len, answer) = fill(&mut self.buf[HEAD..]);
        if len > 0 || matches!(kind, Kind::Start) {
            let head = Head {
                len,
                kind,
                step,
                at: since_boot(),
            };
            self.buf[..HEAD].copy_from_slice(&head.encode());
            self.store(HEAD + len);
        }
        answer
    }

    fn store(&mut self, len: usize) {
        let from = if self.pending.is_empty() { self.write(len) } else { 0 };
        if from < len {
            self.pending.extend_from_slice(&self.buf[from..len]);
        }
    }

    /// Writes what is in the making; answers how much went.
    fn write(&mut self, len: usize) -> usize {
        let mut at = 0;
        while at < len {
            match self.file.write_at(&self.buf[at..len], self.written) {
                Ok(n) if n > 0 => {
                    at += n;
                    self.written += n as u64;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(_) => self.stalled = Some(0),
                Err(e) => self.stalled = Some(e.raw_os_error().unwrap_or_default()),
            }
            if self.stalled.is_some() {
                break;
            }
        }
        at
    }

    /// Tries again what the disk refused.
    pub fn retry(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.stalled = None;
        let pending = std::mem::take(&mut self.pending);
        let kept = std::mem::replace(&mut self.buf, pending);
        let len = self.buf.len();
        let at = self.write(len);
        let mut rest = std::mem::replace(&mut self.buf, kept);
        rest.drain(..at);
        self.pending = rest;
    }

    /// Gives up what the disk refuses: the step is to end now.
    pub fn give_up(&mut self) {
        self.dropped += self.pending.len() as u64;
        self.pending.clear();
    }

    /// Counts output that could not even be taken.
    pub fn drop_output(&mut self, bytes: usize) {
        self.dropped += bytes as u64;
    }

    /// Stores a step's end; `false` when only the record could take it.
    pub fn close(&mut self, end: &End) -> bool {
        // Written first: whoever reads the spool to its end and finds none looks here.
        let broken = self.stalled() || self.dropped > 0;
        if broken {
            let _ = record::note(&self.record, end);
        }
        self.dropped = 0;
        if broken {
            return false;
        }
        let json = serde_json::to_vec(end).unwrap_or_default();
        self.frame(Kind::End, end.step, |room| {
            room[..json.len()].copy_from_slice(&json);
            (json.len(), ())
        });
        if self.stalled() {
            self.pending.clear();
            let _ = record::note(&self.record, end);
            return false;
        }
        true
    }
}
