//! The socket where there is none: while rendering on the server.
//!
//! **Invariant:** nothing here does anything.

use super::{Link, Seen, Topic};
use domain::AttemptId;
use leptos::prelude::Signal;

pub fn link() -> Signal<Link> {
    Signal::derive(Link::default)
}

pub struct Subscription;

impl Subscription {
    pub fn read_at(&self, _seq: i64) {}
}

pub fn subscribe(_topic: Topic, _since: i64, _bump: impl Fn() + 'static) -> Subscription {
    Subscription
}

pub struct View;

impl View {
    pub fn ack(&self, _offset: u64) {}
    pub fn seek(&self, _from: u64, _follow: bool) {}
}

pub fn view(_attempt: AttemptId, _from: u64, _follow: bool, _seen: impl Fn(Seen<'_>) + 'static) -> View {
    View
}
