//! Gaps: how they stand in the index, and what they do to offsets.
//!
//! An agent's gap is a mark between two bytes. What the server itself has lost or does not keep (beyond the limit) has
//! offsets in the agent's stream and none in the file: from there on the two run apart by its size.
//!
//! **Invariant:** [`Gaps::in_file`] never goes back, so extents stay in order however much is missing.

use protocol::GapReason;

/// Missing bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The byte of the file behind it.
    pub offset: u64,
    /// How many, where that is known.
    pub size: Option<u64>,
    pub reason: GapReason,
    /// The agent's number for it; 0 where it is the server's own.
    pub k: u32,
    /// Whether the missing bytes have offsets in the agent's stream.
    pub skips: bool,
}

/// The gaps of one console, by offset.
#[derive(Debug, Default, Clone)]
pub(super) struct Gaps {
    all: Vec<Gap>,
}

impl Gaps {
    pub fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.all.iter()
    }

    /// Takes one in its place; one of the same number is known already.
    pub fn put(&mut self, gap: Gap) {
        if gap.k > 0 && self.all.iter().any(|g| g.k == gap.k) {
            return;
        }
        let at = self.all.partition_point(|g| g.offset <= gap.offset);
        self.all.insert(at, gap);
    }

    pub fn knows(&self, k: u32) -> bool {
        self.all.iter().any(|g| g.k == k)
    }

    /// Makes the gap of the limit as large as it is now.
    pub fn grow_limit(&mut self, size: u64) {
        if let Some(gap) = self.all.iter_mut().find(|g| g.skips && g.reason == GapReason::Limit) {
            gap.size = Some(size);
        }
    }

    /// Bytes of the stream that have no place in the file, before this byte of it or at it.
    pub fn skipped(&self, upto: u64) -> u64 {
        let skips = self.all.iter().filter(|g| g.skips && g.offset <= upto);
        skips.filter_map(|g| g.size).sum()
    }

    /// Where a byte of the stream lies in the file; what is missing lies where it is missing.
    pub fn in_file(&self, stream: u64) -> u64 {
        let mut skipped = 0;
        for gap in self.all.iter().filter(|g| g.skips) {
            let (begins, size) = (gap.offset + skipped, gap.size.unwrap_or(0));
            if stream <= begins {
                break;
            }
            if stream < begins + size {
                return gap.offset;
            }
            skipped += size;
        }
        stream - skipped
    }
}

/// A reason in the index file.
pub(super) fn code(reason: GapReason) -> u64 {
    match reason {
        GapReason::Crash => 1,
        GapReason::Limit => 2,
        GapReason::File => 3,
        GapReason::AgentDisk => 4,
        GapReason::Detached => 5,
        GapReason::Differs => 6,
        GapReason::Other => 7,
    }
}

pub(super) fn from_code(code: u64) -> GapReason {
    match code {
        1 => GapReason::Crash,
        2 => GapReason::Limit,
        3 => GapReason::File,
        4 => GapReason::AgentDisk,
        5 => GapReason::Detached,
        6 => GapReason::Differs,
        _ => GapReason::Other,
    }
}

/// The reason as a sentence for people, behind how many bytes are missing.
#[must_use]
pub fn sentence(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Crash => {
            "The engine or the agent stopped before it had written them; what is before and after is complete."
        }
        GapReason::Limit => "The limit of a job's output was reached here; what came after it is not kept.",
        GapReason::File => "The server had stored them and has lost them; what is before and after is complete.",
        GapReason::AgentDisk => "The agent's disk failed or was full; what is before and after is complete.",
        GapReason::Detached => "The agent was not attached to the container; what is before and after is complete.",
        GapReason::Differs => "The checksum is not the agent's: what is shown may not be what was written.",
        GapReason::Other => "Its agent could not say why.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(offset: u64, size: u64) -> Gap {
        Gap {
            offset,
            size: Some(size),
            reason: GapReason::File,
            k: 0,
            skips: true,
        }
    }

    #[test]
    fn offsets_of_the_stream_find_their_place_in_the_file() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.in_file(77), 77);
        gaps.put(skip(100, 50));
        gaps.put(skip(120, 10));
        // A mark between bytes moves nothing.
        gaps.put(Gap {
            k: 1,
            skips: false,
            ..skip(10, 999)
        });
        for (stream, file) in [
            (0, 0),
            (100, 100),
            (101, 100),
            (149, 100),
            (150, 100),
            (151, 101),
            (170, 120),
            (175, 120),
            (181, 121),
        ] {
            assert_eq!(gaps.in_file(stream), file, "{stream}");
        }
        assert_eq!((gaps.skipped(99), gaps.skipped(100), gaps.skipped(200)), (0, 50, 60));
        assert_eq!(gaps.in_file(u64::MAX), u64::MAX - 60);
    }

    #[test]
    fn a_number_that_is_known_changes_nothing() {
        let mut gaps = Gaps::default();
        let gap = |size| Gap {
            k: 3,
            size,
            skips: false,
            ..skip(5, 0)
        };
        gaps.put(gap(Some(1)));
        gaps.put(gap(Some(2)));
        assert!(gaps.knows(3) && !gaps.knows(2));
        assert_eq!(gaps.iter().map(|g| g.size).collect::<Vec<_>>(), [Some(1)]);
    }

    #[test]
    fn reasons_come_back_as_they_went() {
        for code in 1..=7 {
            assert_eq!(super::code(from_code(code)), code);
        }
    }
}
