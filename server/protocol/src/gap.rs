//! Places in an attempt's output where bytes are missing.
//!
//! Offsets of an attempt's output count the bytes that are there. A [`Gap`] is a place between two of them and takes no
//! offsets, whatever its size; so the digest at the end is that of the bytes that are there, and a gap of unknown size
//! needs no other form. Only bytes that the server had and lost ([`crate::FromAgent::Gone`]) leave a hole in the offsets.
//!
//! **Invariant:** gaps of an attempt are numbered from 1 on; a number that is known already changes nothing.

use serde::{Deserialize, Serialize};

/// Most gaps of one attempt; an agent that has more makes its last one larger.
pub const GAPS_MAX: u32 = 1_000;

/// Bytes that an attempt wrote and that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// 1, 2, 3, … in this attempt.
    pub k: u32,
    /// Offset of the byte behind it.
    pub at: u64,
    /// How many bytes are missing, where that is known.
    pub size: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

/// Why bytes are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The engine or the agent went away with output it had not written.
    Crash,
    /// The agent's disk failed or was full.
    AgentDisk,
    /// The agent was not attached to the container while they were written.
    Detached,
    /// The limit of an attempt's output was reached.
    Limit,
    /// The server had stored them and has lost them.
    File,
    /// What is stored is not what the agent says it wrote.
    Differs,
    /// A reason of a later version.
    #[serde(other)]
    Other,
}
