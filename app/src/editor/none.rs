//! On the server it is never there: what is judged there is judged by the ports.
//!
//! **Invariant:** the same names as in `module`.

use super::State;
use leptos::prelude::RwSignal;

/// Begins to load it.
pub(super) fn fetch(_state: RwSignal<State>) {}

/// Asks it.
pub(super) fn call(_function: &str, _question: &str, _now: Option<i64>) -> Option<String> {
    None
}
