//! Behaviour of the console store: what goes in comes out, whatever happens in between.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop there")]

mod gaps;
mod lines;
mod storing;
mod support;
