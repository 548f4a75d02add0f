//! Why a remote could not be read or told.
//!
//! **Invariant:** the sentence is for a person and holds no credentials; the kind alone decides what the product does.

use domain::health::Health;
use std::fmt;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It wants credentials, or others.
    Unauthorised,
    /// There is nothing at that address.
    Missing,
    /// Nothing answers there.
    Unreachable,
    /// We do not go there.
    Refused,
    /// It answers more than is taken.
    TooLarge,
    /// It did not answer in time.
    TooSlow,
    /// What it answers cannot be understood.
    BadAnswer,
    /// It is ours: no git, no disk.
    Ours,
}

/// A failure, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// One sentence or two: what is wrong, where, what to do.
    pub sentence: String,
}

impl Fault {
    /// A failure of this kind.
    pub(crate) fn new(kind: FaultKind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: sentence.into(),
        }
    }

    /// What it says of the remote.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.kind {
            FaultKind::Unauthorised => Health::Unauthorised,
            FaultKind::Missing => Health::Missing,
            FaultKind::Unreachable | FaultKind::TooSlow => Health::Unreachable,
            FaultKind::Refused | FaultKind::TooLarge | FaultKind::BadAnswer | FaultKind::Ours => Health::Unknown,
        }
    }
}

/// A time limit as people read it.
pub(crate) struct Span(pub std::time::Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&domain::time::human_duration(
            i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX),
        ))
    }
}
