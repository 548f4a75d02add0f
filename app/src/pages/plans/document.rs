//! A plan document as it is read: numbered lines with a little colour.
//!
//! **Invariant:** what is copied from it is the document alone; numbers and colours are decoration.

use super::tint;
use leptos::prelude::*;

/// The text of a document.
#[component]
pub fn Document(
    /// The YAML text.
    #[prop(into)]
    text: String,
    /// What it is called for those who hear the page.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let lines: Vec<_> = tint::lines(&text)
        .into_iter()
        .map(|parts| {
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(class, text)| {
                    if class.is_empty() {
                        text.into_any()
                    } else {
                        view! { <span class=class>{text}</span> }.into_any()
                    }
                })
                .collect();
            view! { <span>{parts} "\n"</span> }
        })
        .collect();
    view! {
        <pre class="ed border border-line rounded-lg" tabindex="0" role="region" aria-label=label>
            {lines}
        </pre>
    }
}
