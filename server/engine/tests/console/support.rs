//! What the tests of the console store share: a store, bytes, noise that is the same for ever.
//!
//! **Invariant:** nothing here decides what is right.

use domain::console::view::{Line, Lines, Stream};
use domain::{AttemptId, Timestamp};
use engine::console::{Appended, Consoles, Extent};
use protocol::{Gap, GapReason, Mark};
use std::path::{Path, PathBuf};

pub const A: AttemptId = AttemptId(1_234);

pub fn quiet(dir: &Path) -> Consoles {
    Consoles::open(dir, |_, _| {}).unwrap()
}

pub fn mark(at: u32, time: i64) -> Mark {
    Mark {
        at,
        time: Timestamp(time),
        stream: Stream::Stdout,
    }
}

pub fn put(c: &Consoles, offset: u64, bytes: &[u8]) -> Appended {
    c.append(A, offset, &[mark(0, 1_000)], bytes).unwrap()
}

pub fn gap(k: u32, at: u64, size: impl Into<Option<u64>>, reason: GapReason) -> Gap {
    let size = size.into();
    Gap { k, at, size, reason }
}

pub fn all(c: &Consoles) -> Vec<u8> {
    c.read(A, 0, usize::MAX >> 1).unwrap()
}

pub fn whole() -> Extent {
    Extent::open(0)
}

pub fn texts(l: &Lines) -> Vec<String> {
    l.items
        .iter()
        .map(|l| match l {
            Line::Text { n, runs, .. } => format!("{n}:{}", runs.iter().map(|r| r.text.as_str()).collect::<String>()),
            Line::Gap { gap: Some(gap), .. } => format!("gap {gap}"),
            Line::Gap { gap: None, .. } => "gap".into(),
        })
        .collect()
}

pub fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("1/1234.out"), dir.join("1/1234.idx"))
}

/// A small xorshift: tests draw the same noise for ever.
pub struct Noise(pub u64);
impl Noise {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
    pub fn output(&mut self, size: usize) -> Vec<u8> {
        (0..size)
            .map(|_| {
                if self.below(40) == 0 {
                    b'\n'
                } else {
                    b'a' + self.below(26) as u8
                }
            })
            .collect()
    }
}
