//! How a remote is: a repository, a page that is polled, a forge.
//!
//! **Invariant:** one word each, the same in database, API and pages.

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
