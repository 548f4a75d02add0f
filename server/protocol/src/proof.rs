//! What proves to a source who asks: sent apart from the assignment, so that nothing that keeps assignments keeps it.
//!
//! **Invariant:** `Debug` shows none of it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What proves to a source who asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A header of HTTP, for every URL below one: no submodule or redirect takes it elsewhere.
    Header {
        /// Scheme, host and port, as `https://git.example.org:443/`.
        below: String,
        /// Name and value, as `Authorization: Basic …` (RFC 7617).
        header: String,
    },
    /// A private key of ssh, without a passphrase.
    Key {
        /// As it stands in its file.
        private: String,
    },
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header { .. } => "Header",
            Self::Key { .. } => "Key",
        })
    }
}
