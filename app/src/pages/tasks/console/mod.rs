//! The console of one step: its last lines in the page itself, and with a script all of them, live.
//!
//! What the server rendered is taken over by [`screen`]: lines are kept in a bounded cache, only those in sight are in the
//! document, and what comes over the socket is painted once a frame.
//!
//! **Invariant:** output becomes text nodes and class names from a fixed set, never markup; line numbers are the server's.

// The cache and the frame's arithmetic are plain code, tested natively; only the browser uses them.
mod cache;
mod head;
#[cfg(feature = "hydrate")]
mod links;
#[cfg(feature = "hydrate")]
mod paint;
mod row;
#[cfg(feature = "hydrate")]
mod screen;
#[cfg(feature = "hydrate")]
mod source;
#[cfg(not(feature = "hydrate"))]
mod still;
mod view;
mod window;
#[cfg(not(feature = "hydrate"))]
use still as screen;

pub use row::size;
pub use view::Console;

use domain::{AttemptId, StepId};
use leptos::html::Div;
use leptos::prelude::*;

/// How far a step has come, as far as its console is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It has no output yet, and may never have.
    Waiting,
    /// Output may come.
    Running,
    /// All output is stored.
    Ended,
}

/// What the button at the end of the console says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pill {
    /// There is nothing to go to.
    #[default]
    None,
    /// The end is in sight and moves.
    Following,
    /// The end is out of sight; so many lines have come since it was in sight.
    Away(i64),
}

/// Places in the document that the screen takes over.
#[derive(Clone, Copy, Default)]
pub struct Places {
    /// What scrolls.
    pub body: NodeRef<Div>,
    /// The room above the lines in the document.
    pub above: NodeRef<Div>,
    /// The lines.
    pub lines: NodeRef<Div>,
    /// The room below.
    pub below: NodeRef<Div>,
}

/// What the screen is told and tells.
#[derive(Clone, Copy)]
pub struct Wires {
    /// The step.
    pub step: StepId,
    /// The attempt in whose file it lies.
    pub attempt: AttemptId,
    /// How far it has come.
    pub life: Memo<Life>,
    /// Whether long lines are wrapped.
    pub wrap: RwSignal<bool>,
    /// Lines there are.
    pub total: RwSignal<i64>,
    /// What the button says.
    pub pill: RwSignal<Pill>,
    /// The line that is pointed at.
    pub marked: RwSignal<Option<i64>>,
    /// What went wrong with reading.
    pub trouble: RwSignal<Option<String>>,
}
