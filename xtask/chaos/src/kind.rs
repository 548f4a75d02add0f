//! The kinds of sites: who runs the steps, and how, and what is peculiar about the place.
//!
//! **Invariant:** a kind is fixed for a site's life; what only one kind has, only its faults touch.

/// What a site is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A server with its built-in agent.
    Alone,
    /// A server, and an agent of its own process behind the proxy.
    Apart,
    /// The same, and steps run in containers of a private engine.
    Contained,
    /// The data of server and agent each lie on a small disk of its own.
    Tight,
    /// Server and agent go by clocks of their own, which can be set.
    Adrift,
}

impl Kind {
    /// All there are, in the order of their turns.
    pub const ALL: &[Self] = &[Self::Apart, Self::Contained, Self::Alone, Self::Tight, Self::Adrift];

    /// Whether the agent is a process of its own.
    pub fn remote(self) -> bool {
        self != Self::Alone
    }

    /// Whether steps run in containers.
    pub fn contained(self) -> bool {
        self == Self::Contained
    }

    /// Name of its folder, and of its rows where others have the same faults.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Apart => "apart",
            Self::Contained => "containers",
            Self::Tight => "tight",
            Self::Adrift => "adrift",
        }
    }
}
