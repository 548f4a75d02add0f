//! The shim beside an agent that is a test.

// A test that meets the impossible shall stop with a word.
#![allow(clippy::unwrap_used)]

mod ending;
mod room;
mod running;
