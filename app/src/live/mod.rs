//! News from the server: one websocket per tab, shared by everything on the page (DESIGN §8, `/live`).
//!
//! A page renders from data read at some `seq` and then follows a topic from that number on; [`use_live`] gives a counter
//! that rises when there is something to read again. Without WASM (and while rendering on the server) nothing happens.
//!
//! **Invariant:** a page never misses news: it follows from the `seq` it was read at, and after a reconnect from the last
//! `seq` it has heard of; where that is too old, the counter rises once and the page reads afresh.

#[cfg(not(feature = "hydrate"))]
mod noop;
#[cfg(feature = "hydrate")]
mod socket;
#[cfg(not(feature = "hydrate"))]
use noop as wire;
#[cfg(feature = "hydrate")]
use socket as wire;

use domain::AttemptId;
pub use domain::event::Topic;
use leptos::prelude::*;

/// How the tab stands with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// Nothing has been asked of it: no script, or no page that follows anything.
    #[default]
    Off,
    /// The first connection is being made.
    Connecting,
    /// News arrive as they happen.
    Live,
    /// The connection broke; it is tried again, ever more slowly.
    Retrying,
}

impl Link {
    /// The word in the rail.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "Not live",
            Self::Connecting => "Connecting",
            Self::Live => "Live",
            Self::Retrying => "Reconnecting",
        }
    }
}

/// How the tab stands with the server, for the rail's indicator. `Off` while rendering on the server.
#[must_use]
pub fn use_link() -> Signal<Link> {
    wire::link()
}

/// Follows a topic from `since` on: the counter rises (at once, then at most every 250 ms) whenever something happened in
/// it. Read the page's data again when it does; `since` is the `seq` of the data on screen, `None` until there is some.
///
/// The topic is left when the owner of the call goes. To be called in a component; does nothing on the server.
#[must_use]
pub fn use_live(topic: Topic, since: Signal<Option<i64>>) -> Signal<u64> {
    use_live_when(Signal::derive(move || Some(topic)), since)
}

/// As [`use_live`], for a topic that changes or is sometimes none (a page whose id is in the path).
#[must_use]
pub fn use_live_when(topic: Signal<Option<Topic>>, since: Signal<Option<i64>>) -> Signal<u64> {
    let bumps = RwSignal::new(0_u64);
    Effect::new(move |held: Option<Option<(Topic, wire::Subscription)>>| {
        let held = held.flatten();
        match (topic.get(), since.get(), held) {
            (Some(t), Some(seq), Some((of, sub))) if of == t => {
                sub.read_at(seq);
                Some((t, sub))
            }
            (Some(t), Some(seq), _) => Some((t, wire::subscribe(t, seq, move || bumps.update(|n| *n += 1)))),
            // Keep following while fresh data is on its way.
            (Some(t), None, Some((of, sub))) if of == t => Some((t, sub)),
            _ => None,
        }
    });
    bumps.into()
}

/// What a console view is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Bytes of the attempt's console, from this offset on; always the next ones.
    Bytes(u64, &'a [u8]),
    /// Where the console stands: bytes stored, and whether no more will come.
    Mark(u64, bool),
    /// So many places of the console say that bytes are missing.
    Gaps(u64),
    /// The view was refused or is over; the sentence says why.
    Refused(&'a str),
}

/// A view of an attempt's console; dropping it ends it.
pub struct ConsoleView(wire::View);

impl ConsoleView {
    /// Looks at an attempt's console from byte `from` of its file on.
    #[must_use]
    pub fn open(attempt: AttemptId, from: u64, follow: bool, seen: impl Fn(Seen<'_>) + 'static) -> Self {
        Self(wire::view(attempt, from, follow, seen))
    }

    /// Says that bytes up to `offset` are painted: the server sends more only then.
    pub fn ack(&self, offset: u64) {
        self.0.ack(offset);
    }

    /// Starts again at `from`, or changes between bytes and watermarks only.
    pub fn seek(&self, from: u64, follow: bool) {
        self.0.seek(from, follow);
    }
}
