//! Messages of the browser socket `/live` (DESIGN §8): subscriptions to topics, and views of consoles.
//!
//! **Invariant:** JSON text both ways but for console bytes, which are binary frames of `kind u8, id u32, offset u64,
//! bytes`, numbers big-endian; unknown messages are ignored.

use crate::AttemptId;
use crate::event::Event;
use serde::{Deserialize, Serialize};

/// From the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromBrowser {
    /// Follow a topic from an event number on.
    Sub {
        /// Chosen by the browser; answers carry it.
        id: u32,
        /// As `queue`, `task/12`.
        topic: String,
        /// The `seq` of the page.
        since: i64,
    },
    /// Stop following.
    Unsub {
        /// The subscription.
        id: u32,
    },
    /// Look at an attempt's console.
    View {
        /// Chosen by the browser.
        id: u32,
        /// Whose console.
        attempt: AttemptId,
        /// Byte offset in the attempt's console file to start from.
        from: u64,
        /// Whether bytes are wanted as they come; else watermarks only.
        follow: bool,
    },
    /// Stop looking.
    Unview {
        /// The view.
        id: u32,
    },
    /// Bytes up to this offset are painted; the server sends more.
    Ack {
        /// The view.
        id: u32,
        /// End of what has been taken in.
        offset: u64,
    },
}

/// From the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromServer {
    /// Something happened in a topic.
    Ev {
        /// The subscription.
        id: u32,
        /// What happened.
        #[serde(flatten)]
        event: Event,
    },
    /// `since` is too old, or the rights have changed: read the page again.
    Reset {
        /// The subscription.
        id: u32,
    },
    /// Where a console stands.
    Mark {
        /// The view.
        id: u32,
        /// Bytes stored of the attempt.
        bytes: u64,
        /// Whether the attempt's console has ended.
        ended: bool,
    },
    /// Bytes are missing in a console: read its end anew to see where.
    Gap {
        /// The view.
        id: u32,
        /// Places where bytes are missing, in all.
        gaps: u64,
    },
    /// A subscription or view was refused.
    Refused {
        /// Which.
        id: u32,
        /// Why.
        detail: String,
    },
}

/// Kind byte of a binary frame that carries console bytes.
pub const CONSOLE_BYTES: u8 = 1;
/// Length of a binary frame's head.
pub const HEAD: usize = 13;

/// Writes a binary frame.
#[must_use]
pub fn encode_bytes(id: u32, offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + bytes.len());
    out.push(CONSOLE_BYTES);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
    out.extend_from_slice(bytes);
    out
}

/// Reads a binary frame: view, offset, bytes. `None` when it is not one of ours.
#[must_use]
pub fn decode_bytes(frame: &[u8]) -> Option<(u32, u64, &[u8])> {
    let (head, bytes) = frame.split_at_checked(HEAD)?;
    if head[0] != CONSOLE_BYTES {
        return None;
    }
    let id = u32::from_be_bytes(head[1..5].try_into().ok()?);
    let offset = u64::from_be_bytes(head[5..13].try_into().ok()?);
    Some((id, offset, bytes))
}
