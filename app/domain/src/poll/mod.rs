//! What a look at a remote means: what is new since the last one, how the remote is, and when to look again.
//!
//! **Invariant:** a trigger that is new, or whose patterns are, fires nothing for what was there before; what was seen is
//! never new again, though it went away and came back.

mod pace;
#[cfg(feature = "rules")]
mod refs;
mod url;

pub use pace::{first, next};
#[cfg(feature = "rules")]
pub use refs::{Cursor, Kind, MOST, Mode, New, Patterns, Seen, TooMany, look};
pub use url::{Looked, Page, UrlCursor, Watch, conditions, look_at};

use serde::{Deserialize, Serialize};

/// How a remote was when it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Health {
    /// It answered as it should.
    Healthy,
    /// There is nothing at that address.
    Missing,
    /// It wants credentials, or others.
    Unauthorised,
    /// It did not answer, or not in time.
    Unreachable,
    /// Nothing is known: it was not asked yet, or what it said says nothing of it.
    #[default]
    Unknown,
}

impl Health {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Missing => "missing",
            Self::Unauthorised => "unauthorised",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for Health {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [
            Self::Healthy,
            Self::Missing,
            Self::Unauthorised,
            Self::Unreachable,
            Self::Unknown,
        ]
        .into_iter()
        .find(|h| h.as_str() == word)
        .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_health_are_those_of_its_json() {
        for health in [
            Health::Healthy,
            Health::Missing,
            Health::Unauthorised,
            Health::Unreachable,
            Health::Unknown,
        ] {
            assert_eq!(health.as_str().parse(), Ok(health));
            assert_eq!(serde_json::json!(health), health.as_str());
        }
        assert_eq!("Healthy".parse::<Health>(), Err(()));
    }
}
