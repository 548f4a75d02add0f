//! What a page is told when a call is refused or fails.
//!
//! **Invariant:** nothing secret in here: without a script it travels in a URL.

use domain::Problem;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// Result of a server function.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal of the product, or a failure on the way to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// The product said no.
    #[error(transparent)]
    Domain(domain::Error),
    /// The call did not get through or could not be read.
    #[error("The server could not be asked: {0}")]
    Transport(String),
}

impl Error {
    /// The HTTP status code that says the same.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Domain(e) => e.status(),
            Self::Transport(_) => 502,
        }
    }

    /// What is wrong with the input, place by place; empty for other errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Domain(domain::Error::Invalid { problems, .. }) => problems,
            _ => &[],
        }
    }

    /// What is wrong with one named field, if anything.
    #[must_use]
    pub fn problem_of(&self, path: &str) -> Option<String> {
        self.problems()
            .iter()
            .find(|p| p.path == path)
            .map(|p| p.message.clone())
    }
}

impl FromServerFnError for Error {
    type Encoder = crate::wire::Wire;

    fn from_server_fn_error(e: ServerFnErrorErr) -> Self {
        match e {
            ServerFnErrorErr::Args(m) | ServerFnErrorErr::MissingArg(m) => {
                Self::Domain(domain::Error::Malformed(format!("The form could not be read: {m}")))
            }
            e => Self::Transport(e.to_string()),
        }
    }
}

/// Sets the status code of the page that is being rendered; in the browser there is none.
pub fn answer_with(status: u16) {
    #[cfg(feature = "ssr")]
    crate::context::set_status(status);
    #[cfg(not(feature = "ssr"))]
    let _ = status;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_as_it_left() {
        let e = Error::Domain(domain::Error::invalid_field("name", "taken"));
        assert_eq!(Error::de(e.ser()), e);
        assert_eq!(e.status(), 422);
        assert_eq!(e.problem_of("name").as_deref(), Some("taken"));
        assert_eq!(e.problem_of("password"), None);
    }
}
