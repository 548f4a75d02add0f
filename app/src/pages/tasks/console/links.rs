//! Lines as addresses: which one a click or the page's address points at, and how one is put there.
//!
//! **Invariant:** pointing at a line makes no new entry in the history and loads nothing.

use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// The line a click was on: on its number, and without a key that opens it elsewhere.
pub fn line_of(ev: &leptos::ev::MouseEvent) -> Option<i64> {
    if ev.ctrl_key() || ev.meta_key() || ev.shift_key() || ev.button() != 0 {
        return None;
    }
    let link = ev.target()?.dyn_into::<web_sys::Element>().ok()?;
    let n = link.get_attribute("href")?.strip_prefix("#L")?.parse().ok()?;
    ev.prevent_default();
    ev.stop_propagation();
    Some(n)
}

/// The line that the address points at.
pub fn pointed() -> Option<i64> {
    window()
        .location()
        .hash()
        .ok()?
        .strip_prefix("#L")?
        .parse()
        .ok()
        .filter(|n| *n > 0)
}

/// Puts a line into the address, without a new entry in the history.
pub fn address_line(base: &str, n: i64) {
    if let Ok(history) = window().history() {
        let state = history.state().unwrap_or_default();
        let _ = history.replace_state_with_url(&state, "", Some(&format!("{base}#L{n}")));
    }
}

/// The page's own address up to the path.
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}
