//! Output frames: bytes of one attempt by offset, with marks of stream and time.
//!
//! Layout, big-endian: `kind u8 = 2, attempt i64, epoch i64, offset u64, marks u16, marks × (at u32, time i64, stream u8), bytes`.
//! **Invariant:** marks rise, start at 0 and lie inside the bytes, so every byte has a stream and an arrival time.

use crate::{Fence, MAX_FRAME};
use bytes::{Buf, BufMut, Bytes};
use domain::console::view::Stream;
use domain::{AttemptId, Timestamp};

/// From this byte of a frame on, output is of this stream and arrived at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Byte in the frame.
    pub at: u32,
    /// When it arrived at the agent.
    pub time: Timestamp,
    /// Which stream.
    pub stream: Stream,
}

/// A stretch of an attempt's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFrame {
    /// Whose.
    pub fence: Fence,
    /// Where it begins in the attempt's file.
    pub offset: u64,
    /// Streams and times, the first at 0.
    pub marks: Vec<Mark>,
    /// The bytes.
    pub bytes: Bytes,
}

/// Why a binary frame is not output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a malformed output frame: {0}")]
pub struct FrameError(&'static str);

const KIND: u8 = 2;
const HEAD: usize = 27;
const MARK: usize = 13;

impl OutputFrame {
    /// Writes the frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut frame = Self::head(self.fence, self.offset, &self.marks, self.bytes.len());
        frame.extend_from_slice(&self.bytes);
        frame.into()
    }

    /// What comes before the bytes, with room for so many of them: whoever has them elsewhere puts them there at once.
    #[must_use]
    pub fn head(fence: Fence, offset: u64, marks: &[Mark], room: usize) -> Vec<u8> {
        let mut b = Vec::with_capacity(HEAD + marks.len() * MARK + room);
        b.put_u8(KIND);
        b.put_i64(fence.attempt.0);
        b.put_i64(fence.epoch);
        b.put_u64(offset);
        b.put_u16(marks.len() as u16);
        for m in marks {
            b.put_u32(m.at);
            b.put_i64(m.time.0);
            b.put_u8(u8::from(m.stream == Stream::Stderr));
        }
        b
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is too large, cut short, of another kind, or its marks do not rise from 0 inside the bytes.
    pub fn decode(mut b: Bytes) -> Result<Self, FrameError> {
        if b.len() > MAX_FRAME {
            return Err(FrameError("it is larger than 256 KiB"));
        }
        if b.len() < HEAD {
            return Err(FrameError("it is cut short"));
        }
        if b.get_u8() != KIND {
            return Err(FrameError("it is of another kind"));
        }
        let fence = Fence {
            attempt: AttemptId(b.get_i64()),
            epoch: b.get_i64(),
        };
        let offset = b.get_u64();
        let n = usize::from(b.get_u16());
        if b.len() < n * MARK {
            return Err(FrameError("its marks are cut short"));
        }
        let marks: Vec<Mark> = (0..n)
            .map(|_| Mark {
                at: b.get_u32(),
                time: Timestamp(b.get_i64()),
                stream: if b.get_u8() == 1 {
                    Stream::Stderr
                } else {
                    Stream::Stdout
                },
            })
            .collect();
        let rising = marks.windows(2).all(|w| w[0].at < w[1].at);
        if marks.first().is_none_or(|m| m.at != 0) || !rising || marks.last().is_some_and(|m| m.at as usize >= b.len())
        {
            return Err(FrameError("its marks do not cover its bytes"));
        }
        Ok(Self {
            fence,
            offset,
            marks,
            bytes: b,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> OutputFrame {
        OutputFrame {
            fence: Fence {
                attempt: AttemptId(5),
                epoch: 2,
            },
            offset: 1 << 33,
            marks: vec![
                Mark {
                    at: 0,
                    time: Timestamp(10),
                    stream: Stream::Stdout,
                },
                Mark {
                    at: 3,
                    time: Timestamp(11),
                    stream: Stream::Stderr,
                },
            ],
            bytes: Bytes::from_static(b"abc\xff\0"),
        }
    }

    #[test]
    fn a_frame_comes_back_as_it_went() {
        assert_eq!(OutputFrame::decode(frame().encode()), Ok(frame()));
    }

    #[test]
    fn rubbish_is_refused_at_every_length() {
        let whole = frame().encode();
        for n in 0..HEAD + 2 * MARK + 3 {
            assert!(OutputFrame::decode(whole.slice(..n)).is_err(), "{n}");
        }
        let mut f = frame();
        f.marks[0].at = 1;
        assert!(OutputFrame::decode(f.encode()).is_err());
        f.marks.clear();
        assert!(OutputFrame::decode(f.encode()).is_err());
    }
}
