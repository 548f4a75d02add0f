//! The console where there is no screen: while rendering on the server.
//!
//! **Invariant:** nothing here does anything.

use super::{Places, Wires};
use crate::pages::tasks::api::Shown;

#[derive(Clone)]
pub struct Screen;

impl Screen {
    pub fn take_over(_: Places, _: Wires, _: Option<Shown>, _: Option<i64>) -> Option<Self> {
        None
    }
    pub fn scrolled(&self) {}
    pub fn to_end(&self) {}
    pub fn point(&self, _: i64) {}
    pub fn lived(&self) {}
    pub fn changed(&self) {}
}

/// Where a view keeps its screen. In the arena of all threads: a page is dropped on another thread than rendered it.
pub fn hold() -> leptos::prelude::StoredValue<Option<Screen>> {
    leptos::prelude::StoredValue::new(None)
}

/// The line a click was on.
pub fn line_of(_: &leptos::ev::MouseEvent) -> Option<i64> {
    None
}

/// The line that the address points at.
pub fn pointed() -> Option<i64> {
    None
}

/// Puts a line into the address.
pub fn address_line(_: &str, _: i64) {}

/// The page's own address up to the path.
pub fn origin() -> String {
    String::new()
}
