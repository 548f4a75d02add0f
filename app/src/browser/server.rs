//! On the server there is no browser.
//!
//! **Invariant:** every function answers "unknown" or does nothing.

use super::Local;
use leptos::prelude::{GetUntracked, Signal};
use leptos::text_prop::TextProp;

/// Milliseconds since the epoch by the browser's clock.
#[must_use]
pub fn now() -> i64 {
    0
}

/// An instant in the reader's time zone.
#[must_use]
pub fn local(_ms: i64) -> Option<Local> {
    None
}

/// Shows the page in a theme; `None` follows the system.
pub fn show_theme(_theme: Option<&'static str>) {}

/// Copies a text.
pub fn copy(_text: &str) {}

/// Calls `f` every `ms` milliseconds until the owner is cleaned up.
pub fn every(_ms: u32, _f: impl Fn() + 'static) {}

/// Calls `f` once after `ms` milliseconds, unless the owner is cleaned up before.
pub fn after(_ms: u32, _f: impl FnOnce() + 'static) {}

/// Closes every open menu that the event did not come from, and on Escape all of them.
pub fn close_menus_when_left() {}

/// The filled-in fields of a form that is being sent, when a script can take it over.
pub fn taken_over(_ev: &leptos::ev::SubmitEvent, _names: &[&'static str]) -> Option<Vec<(&'static str, String)>> {
    None
}

/// The fields of a form that is being sent, url-encoded.
pub fn fields_of(_ev: &leptos::ev::SubmitEvent) -> Option<String> {
    None
}

/// Puts the focus into the control of this id when something was wrong with what it held.
pub fn focus_on_error(_wrong: bool, _id: &str) {}

/// Puts the caret of a text area to a place; `false` when there is no such text area.
pub fn show_place(_id: &str, _line: u32, _column: u32) -> bool {
    false
}

/// Left and right move the focus between the links of a group that is one tab stop.
pub fn step_focus(_ev: &leptos::ev::KeyboardEvent) {}

/// The tab's title: what it says now. It must not be a signal here: the framework writes titles after the page is
/// rendered and outside of its arena, where a signal is another request's, or nobody's.
#[must_use]
pub fn tab_title(title: Signal<String>) -> TextProp {
    title.get_untracked().into()
}
