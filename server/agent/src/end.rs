//! Why an agent ends for good, and the exit code that tells it.
//!
//! **Invariant:** each code means one thing for ever; README lists them.

use protocol::RefusalCode;

/// Why an agent ends for good: trying again would change nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The registration token is wrong, used up, ended or revoked.
    #[error("{0}")]
    Token(String),
    /// Server and agent speak no common version.
    #[error("{0}")]
    Version(String),
    /// What answers at the address is no Caracal server, or cannot prove to be the one meant.
    #[error("{0}")]
    NotCaracal(String),
    /// The server does not know this agent, has removed it, or another process uses its credential.
    #[error("{0}")]
    Credential(String),
    /// The name it must have is in use or cannot be one.
    #[error("{0}")]
    Name(String),
}

impl End {
    /// What a refusal means; `None` when it is worth trying again.
    pub(crate) fn of(code: RefusalCode, reason: String) -> Option<Self> {
        match code {
            RefusalCode::Token => Some(Self::Token(reason)),
            RefusalCode::Name => Some(Self::Name(reason)),
            RefusalCode::Version => Some(Self::Version(reason)),
            RefusalCode::Credential | RefusalCode::Removed => Some(Self::Credential(reason)),
            RefusalCode::Replaced => Some(Self::Credential(
                "Another process has connected with this agent's credential and has taken over. Give each agent a data \
                 folder of its own; one that was copied must be emptied."
                    .into(),
            )),
            RefusalCode::Later | RefusalCode::Other => None,
        }
    }

    /// The exit code. 1 is any other error, 2 a wrong command line.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Token(_) => 3,
            Self::Version(_) => 4,
            Self::NotCaracal(_) => 5,
            Self::Credential(_) => 6,
            Self::Name(_) => 7,
        }
    }
}
