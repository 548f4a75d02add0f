//! The caracal: its mark, and its ears over a line.
//!
//! **Invariant:** both are decoration and hidden from assistive technology.

use leptos::prelude::*;

/// The mark.
#[component]
pub fn Logo(
    /// Size classes; by default the brand's own.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg
            class=class
            viewBox="0 0 32 32"
            fill="none"
            stroke-width="2.7"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
        >
            <path
                class="s-tawny"
                d="M5.4 28C3 22.4 3.6 16 7.2 10.2C10 11.6 12 13.8 13.2 16.6C15 16 17 16 18.8 16.6C20 13.8 22 11.6 24.8 10.2C28.4 16 29 22.4 26.6 28"
            ></path>
            <path class="s-ink" d="M7.2 10.2C7.2 7.2 5.8 4.8 2.8 3.2M24.8 10.2C24.8 7.2 26.2 4.8 29.2 3.2"></path>
        </svg>
    }
}

/// The ears that look over the line below them.
#[component]
pub fn Ears(
    /// Width in pixels; the height follows.
    width: u32,
) -> impl IntoView {
    view! {
        <svg
            class="peek"
            width=width
            height=width * 17 / 32
            viewBox="0 1 32 17"
            fill="none"
            stroke-width="1.6"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
        >
            <path
                class="s-tawny"
                d="M4 18C4.3 15 5.4 12.6 7.2 10.2C10 11.6 12 13.8 13.2 16.6C15 16 17 16 18.8 16.6C20 13.8 22 11.6 24.8 10.2C26.6 12.6 27.7 15 28 18"
            ></path>
            <path class="s-ink" d="M7.2 10.2C7.2 7.2 5.8 4.8 2.8 3.2M24.8 10.2C24.8 7.2 26.2 4.8 29.2 3.2"></path>
        </svg>
    }
}
