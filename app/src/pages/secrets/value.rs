//! The field that a value is put into.
//!
//! **Invariant:** it is empty whenever a page is made, on the server and in the browser.

use leptos::prelude::*;

/// The field.
pub fn field(label: &'static str, error: Signal<Option<String>>) -> AnyView {
    let described = move || {
        if error.get().is_some() {
            "value-error"
        } else {
            "value-hint"
        }
    };
    view! {
        <div class="field">
            <label for="value">{label}</label>
            <textarea
                id="value"
                name="value"
                class="textarea mono"
                rows="5"
                required=true
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=move || error.get().is_some().then_some("true")
            ></textarea>
            <p class="hint" id="value-hint">
                "A password, a token, a whole key file: at most 64 KiB. Nobody is shown it again."
            </p>
            {move || error.get().map(|e| view! { <p class="text-small text-failed" id="value-error">{e}</p> })}
        </div>
    }
    .into_any()
}
