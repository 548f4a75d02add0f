//! Records of the index file: 24 bytes each, in the order of the bytes they are about.
//!
//! Layout, big-endian: `kind u4, stream u1, offset u59; a i64; b u64`. Kinds start at 1, so a hole in the file is no record.
//! **Invariant:** what does not decode to a record of ours ends the index; nothing behind it is believed.

use super::gap::{self, Gap};
use domain::Timestamp;
use domain::console::view::Stream;

/// Bytes of a record.
pub(super) const SIZE: usize = 24;
/// Bytes between two counts of lines.
pub(super) const STRIDE: u64 = 64 * 1024;

const OFFSET: u64 = (1 << 59) - 1;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// From this byte on, output is of this stream and arrived at this time.
    Mark {
        offset: u64,
        time: Timestamp,
        stream: Stream,
    },
    /// At this multiple of the stride so many LFs lie before, and this mark holds.
    Stride {
        offset: u64,
        time: Timestamp,
        stream: Stream,
        lines: u64,
    },
    /// Bytes are missing before this byte; it may stand behind records of later bytes.
    Gap(Gap),
    /// The console ended here, complete, with this digest.
    End { offset: u64, digest: u64 },
}

impl Record {
    pub(super) fn offset(&self) -> u64 {
        match *self {
            Self::Mark { offset, .. }
            | Self::Stride { offset, .. }
            | Self::Gap(Gap { offset, .. })
            | Self::End { offset, .. } => offset,
        }
    }

    pub(super) fn encode(&self) -> [u8; SIZE] {
        let bit = |s: Stream| u64::from(s == Stream::Stderr);
        let (kind, stream, offset, a, b) = match *self {
            Self::Mark { offset, time, stream } => (1, bit(stream), offset, time.0, 0),
            Self::Stride {
                offset,
                time,
                stream,
                lines,
            } => (2, bit(stream), offset, time.0, lines),
            Self::Gap(g) => {
                let size = g.size.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1);
                (
                    3,
                    0,
                    g.offset,
                    size,
                    gap::code(g.reason) | u64::from(g.skips) << 8 | u64::from(g.k) << 16,
                )
            }
            Self::End { offset, digest } => (4, 0, offset, 0, digest),
        };
        let mut out = [0; SIZE];
        out[..8].copy_from_slice(&(kind << 60 | stream << 59 | offset & OFFSET).to_be_bytes());
        out[8..16].copy_from_slice(&a.to_be_bytes());
        out[16..].copy_from_slice(&b.to_be_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let (head, a, b) = (word(0)?, word(8)?, word(16)?);
        let offset = head & OFFSET;
        let stream = if head >> 59 & 1 == 1 {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        let time = Timestamp(a as i64);
        match head >> 60 {
            1 => Some(Self::Mark { offset, time, stream }),
            2 if offset.is_multiple_of(STRIDE) => Some(Self::Stride {
                offset,
                time,
                stream,
                lines: b,
            }),
            3 => Some(Self::Gap(Gap {
                offset,
                size: u64::try_from(time.0).ok(),
                reason: gap::from_code(b & 0xff),
                k: (b >> 16) as u32,
                skips: b >> 8 & 1 == 1,
            })),
            4 => Some(Self::End { offset, digest: b }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::GapReason;

    #[test]
    fn records_come_back_and_holes_do_not() {
        for r in [
            Record::Mark {
                offset: (1 << 59) - 1,
                time: Timestamp(-5),
                stream: Stream::Stderr,
            },
            Record::Stride {
                offset: 3 * STRIDE,
                time: Timestamp(9),
                stream: Stream::Stdout,
                lines: 77,
            },
            Record::Gap(Gap {
                offset: 5,
                size: Some(1 << 40),
                reason: GapReason::Limit,
                k: 0,
                skips: true,
            }),
            Record::Gap(Gap {
                offset: 5,
                size: None,
                reason: GapReason::AgentDisk,
                k: 77_000,
                skips: false,
            }),
            Record::End {
                offset: 0,
                digest: u64::MAX,
            },
        ] {
            assert_eq!(Record::decode(&r.encode()), Some(r));
        }
        assert_eq!(Record::decode(&[0; SIZE]), None);
        assert_eq!(Record::decode(&[0xff; SIZE]), None);
        assert_eq!(Record::decode(&[1; 8]), None);
    }
}
