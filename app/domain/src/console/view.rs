//! Lines as the API, the first paint and the browser hold them.
//!
//! **Invariant:** a run's text holds no control character; its style names classes, not colours.

use crate::{StepId, Timestamp};
use serde::{Deserialize, Serialize};
use std::ops::{AddAssign, SubAssign};

/// One piece of a line in one style.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// Its text.
    pub text: String,
    /// Space-separated class names: `fg-1`, `bg-4`, `bold`, `dim`, `italic`, `underline`, `strike`, `inverse`; empty for plain.
    pub style: String,
}

/// A line, or a place where bytes are missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Line {
    /// A line.
    Text {
        /// 1-based number in its step.
        n: i64,
        /// When its first byte arrived at the agent.
        at: Option<Timestamp>,
        /// `stdout` or `stderr`.
        stream: Stream,
        /// Its text, carriage returns resolved.
        runs: Vec<Run>,
    },
    /// Missing bytes.
    Gap {
        /// How many; `null` where nobody knows.
        gap: Option<i64>,
        /// Why.
        reason: String,
    },
}

/// Which of a step's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of a step's console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lines {
    /// The lines, in order.
    pub items: Vec<Line>,
    /// Lines of the step so far; an unterminated tail counts.
    pub total: i64,
}

/// How much is missing in a stretch of output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Places where bytes are missing.
    pub count: u64,
    /// Bytes missing there, where their number is known.
    pub bytes: u64,
    /// Places where it is not.
    pub unknown: u64,
}

impl Gaps {
    /// Takes in one more place.
    pub fn add(&mut self, size: Option<u64>) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(size.unwrap_or(0));
        self.unknown += u64::from(size.is_none());
    }
}

impl AddAssign for Gaps {
    fn add_assign(&mut self, more: Self) {
        self.count += more.count;
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.unknown += more.unknown;
    }
}

impl SubAssign for Gaps {
    fn sub_assign(&mut self, less: Self) {
        self.count = self.count.saturating_sub(less.count);
        self.bytes = self.bytes.saturating_sub(less.bytes);
        self.unknown = self.unknown.saturating_sub(less.unknown);
    }
}

/// The end of a step's console, for the first paint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// Whose.
    pub step: StepId,
    /// The last lines.
    pub lines: Lines,
    /// Byte offset in the attempt's file right behind the last terminated of them; view from here. An unterminated line
    /// is shown again by the bytes that follow.
    pub end: u64,
    /// The colours that stand at `end`.
    #[serde(default)]
    pub pen: super::Pen,
    /// Whether the last line is unterminated, so that the bytes from `end` on are it again.
    #[serde(default)]
    pub open: bool,
}
