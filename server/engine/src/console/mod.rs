//! The console store: every byte of every attempt in one append-only file each, with a small index beside it (DESIGN §6).
//!
//! `DATA/console/{attempt/1000}/{attempt}.out` holds the bytes, `.idx` marks of stream and time and the count of lines at
//! every 64 KiB. Writers append by offset, readers see what is written at once, the agent is told what is durable. Writers
//! and rows speak of offsets in the agent's *stream*; readers of offsets in the *file*, which holds what is there and
//! nothing else. They differ only behind bytes that this server has lost or does not keep: [`Consoles::in_file`].
//!
//! **Invariant:** offset n of a console is the same byte for ever; the index can be made again from the bytes, but for
//! times; a reader never holds a lock while it reads a file, so it never holds up a writer.

mod durable;
mod file;
mod gap;
mod index;
mod lines;
mod rebuild;
mod record;
mod store;

pub use gap::sentence as gap_sentence;
pub use lines::TailOf;
pub use store::{Consoles, Options};

/// A step's place in its attempt's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub from: u64,
    /// Bytes; may reach beyond what is stored while the step runs.
    pub len: u64,
    /// Whether a later step of the attempt has begun: what is missing at the end of this one is missing there.
    pub followed: bool,
}

impl Extent {
    /// So many bytes from one on, with what is missing at their end.
    #[must_use]
    pub fn of(from: u64, len: u64) -> Self {
        Self {
            from,
            len,
            followed: false,
        }
    }

    /// From a byte on, to wherever the file ends.
    #[must_use]
    pub fn open(from: u64) -> Self {
        Self::of(from, u64::MAX - from)
    }

    /// The first byte behind it.
    #[must_use]
    pub fn end(self) -> u64 {
        self.from.saturating_add(self.len)
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is stored (not yet durable); all before `received` has come.
    Received {
        /// Bytes stored in all.
        received: u64,
    },
    /// All of it was there already.
    Duplicate {
        /// Bytes stored in all.
        received: u64,
    },
    /// It begins beyond the end: send again from `expected`.
    Gap {
        /// Bytes stored in all.
        expected: u64,
    },
}

/// What became of closing a console by length and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Every byte is there, on disk, and the digest is the agent's.
    Complete,
    /// As many bytes came, but not all of them are here any more, or were kept: the gaps say where and how many.
    Unproved,
    /// It is not: `have` bytes are stored. Fewer than the length: send again from there. As many: the bytes differ.
    Mismatch {
        /// Bytes stored in all.
        have: u64,
    },
}

/// Where a console stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Bytes stored and readable.
    pub len: u64,
    /// Whether no more will come.
    pub ended: bool,
    /// Places where bytes are missing.
    pub gaps: u64,
}
