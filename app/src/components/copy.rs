//! A line of text to be taken along: shown whole, with a button that copies it.
//!
//! **Invariant:** without a script it can be selected; the button is then not there.

use super::{Icon, IconSize};
use crate::browser;
use leptos::prelude::*;

/// The line.
#[component]
pub fn CopyLine(
    /// The text.
    #[prop(into)]
    text: String,
    /// What the button does: `Copy the address`.
    label: &'static str,
) -> impl IntoView {
    let copied = text.clone();
    view! {
        <div class="cmd">
            <code class="wrap-anywhere">{text}</code>
            <button
                type="button"
                class="btn btn-ghost btn-xs needs-script"
                aria-label=label
                on:click=move |_| browser::copy(&copied)
            >
                <Icon name="copy" size=IconSize::Small/>
                "Copy"
            </button>
        </div>
    }
    .into_any()
}
