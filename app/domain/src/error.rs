//! The one error that crosses a port: what a person or a program is told.
//!
//! **Invariant:** nothing in here is secret; details of our own faults stay in tracing behind the id.

use serde::{Deserialize, Serialize};

/// Result of a port call.
pub type Result<T> = std::result::Result<T, Error>;

/// One thing wrong with an input, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Dotted path of the field, as in `jobs.test.steps[0].run`; empty for the whole input.
    pub path: String,
    /// Line, 1-based, where the input is a text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// Column, 1-based, where the input is a text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do, where we know: the nearest right word, an example.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of a named field.
    pub fn field(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
            column: None,
            message: message.into(),
            hint: None,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let (Some(l), Some(c)) = (self.line, self.column) {
            write!(f, "line {l}, column {c}: ")?;
        } else if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(h) = &self.hint {
            write!(f, " {h}")?;
        }
        Ok(())
    }
}

/// Why a call was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or the viewer may not know of it. 404.
    #[error("{0} does not exist.")]
    NotFound(String),
    /// Nobody is signed in. 401.
    #[error("Sign in first.")]
    Unauthenticated,
    /// The viewer's role or token does not allow it; the sentence says which would. 403.
    #[error("{0}")]
    Forbidden(String),
    /// The input is wrong; every problem at once. 422.
    #[error("{detail}")]
    Invalid {
        /// One sentence for the whole.
        detail: String,
        /// Each problem with its place.
        problems: Vec<Problem>,
    },
    /// The request itself cannot be read. 400.
    #[error("{0}")]
    Malformed(String),
    /// It clashes with what is there: a stale version, a name in use, something that has ended. 409.
    #[error("{0}")]
    Conflict(String),
    /// Too many tries. 429.
    #[error("Too many tries. Try again in {retry_after} s.")]
    TooMany {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// It cannot be done right now; the sentence says why. 503.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours; the id is in our tracing. 500.
    #[error("Something went wrong on our side. The details are in the server's output under id {0}.")]
    Internal(String),
}

impl Error {
    /// A refused input with one wrong field.
    pub fn invalid_field(path: impl Into<String>, message: impl Into<String>) -> Self {
        let p = Problem::field(path, message);
        Self::Invalid {
            detail: p.to_string(),
            problems: vec![p],
        }
    }

    /// Refuses an input when there are problems with it.
    ///
    /// # Errors
    /// `Invalid` with all of them under this sentence.
    pub fn refuse(detail: impl Into<String>, problems: Vec<Problem>) -> Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(Self::Invalid {
            detail: detail.into(),
            problems,
        })
    }

    /// The HTTP status code (RFC 9110) that says the same.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Unauthenticated => 401,
            Self::Forbidden(_) => 403,
            Self::Invalid { .. } => 422,
            Self::Malformed(_) => 400,
            Self::Conflict(_) => 409,
            Self::TooMany { .. } => 429,
            Self::Unavailable(_) => 503,
            Self::Internal(_) => 500,
        }
    }
}
