//! Where effects go after a commit: to whoever speaks with agents, and to whoever places jobs.
//!
//! **Invariant:** sending never waits; an effect lost with the process is found again from the rows at the next start.

use domain::lifecycle::Effect;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// The way out for effects. Cheap to clone.
#[derive(Clone)]
pub struct Outward {
    effects: mpsc::UnboundedSender<Effect>,
    resolve: Arc<Notify>,
}

impl Outward {
    /// The way out, and its other end for dispatch.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Effect>) {
        let (effects, rx) = mpsc::unbounded_channel();
        (
            Self {
                effects,
                resolve: Arc::new(Notify::new()),
            },
            rx,
        )
    }

    /// Lets effects out. Call it only after the commit.
    pub fn send(&self, effects: Vec<Effect>) {
        for e in effects {
            // Nobody listens any more only while the server stops; the rows tell the next one.
            let _ = self.effects.send(e);
        }
    }

    /// Wakes the resolver: a task's exact commit is to be found.
    pub fn wake_resolver(&self) {
        self.resolve.notify_one();
    }

    pub(super) fn resolver_bell(&self) -> Arc<Notify> {
        self.resolve.clone()
    }
}
