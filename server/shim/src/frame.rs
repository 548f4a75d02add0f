//! Frames of the spool: a head of 24 bytes, little-endian (`length u32, kind u8, 3 × 0, step i64, since boot u64 ns`), and
//! as many bytes as it says.
//!
//! **Invariant:** frames are written whole or go on where they were broken off; a reader that meets the end of the file in
//! a frame finds the rest there later.

use std::time::Duration;

/// Bytes of a head.
pub const HEAD: usize = 24;
/// Most bytes of one frame behind its head.
pub const LONGEST: usize = 256 * 1024;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The step's command executes.
    Start,
    /// It wrote this to standard output.
    Out,
    /// It wrote this to standard error.
    Err,
    /// It has ended, and nothing it began lives: a [`crate::wire::End`] as JSON.
    End,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes that follow.
    pub len: usize,
    /// What they are.
    pub kind: Kind,
    /// Of which step.
    pub step: i64,
    /// When, since boot.
    pub at: Duration,
}

impl Head {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEAD] {
        let mut raw = [0; HEAD];
        raw[..4].copy_from_slice(&u32::try_from(self.len).unwrap_or(u32::MAX).to_le_bytes());
        raw[4] = match self.kind {
            Kind::Start => 1,
            Kind::Out => 2,
            Kind::Err => 3,
            Kind::End => 4,
        };
        raw[8..16].copy_from_slice(&self.step.to_le_bytes());
        let at = u64::try_from(self.at.as_nanos()).unwrap_or(u64::MAX);
        raw[16..].copy_from_slice(&at.to_le_bytes());
        raw
    }

    /// From the beginning of `bytes`; `None` when they are too few.
    ///
    /// # Errors
    /// When it is no head.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, NoHead> {
        let Some(raw) = bytes.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let word = |at: usize| {
            raw[at..]
                .first_chunk::<8>()
                .copied()
                .map(u64::from_le_bytes)
                .unwrap_or_default()
        };
        let kind = match raw[4] {
            1 => Kind::Start,
            2 => Kind::Out,
            3 => Kind::Err,
            4 => Kind::End,
            _ => return Err(NoHead),
        };
        let len = (word(0) & 0xffff_ffff) as usize;
        if len > LONGEST {
            return Err(NoHead);
        }
        Ok(Some(Self {
            len,
            kind,
            step: word(8).cast_signed(),
            at: Duration::from_nanos(word(16)),
        }))
    }
}

/// These bytes are no head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHead;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_and_rubbish_does_not() {
        for kind in [Kind::Start, Kind::Out, Kind::Err, Kind::End] {
            let head = Head {
                len: 77,
                kind,
                step: -5,
                at: Duration::from_nanos(123_456_789_012),
            };
            assert_eq!(Head::decode(&head.encode()), Ok(Some(head)));
        }
        assert_eq!(Head::decode(&[1; 10]), Ok(None));
        assert_eq!(Head::decode(&[0; HEAD]), Err(NoHead));
        assert_eq!(Head::decode(&[255; HEAD]), Err(NoHead));
    }
}
