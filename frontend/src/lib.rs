//! Wakes the pages that the server rendered.
//!
//! **Invariant:** ends by marking the document, so that whoever waits for a script (tests do) knows it has run.

use app::root::App;
use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page once the module is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    app::chunks::start(|| {
        hydrate_body(App);
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
}
