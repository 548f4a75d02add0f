//! Menus and confirmations: `details`, so that they open without a script.
//!
//! **Invariant:** what destroys is asked for twice: once to open, once on the button inside that says what it does.

use super::{ButtonKind, Icon, IconSize};
use leptos::prelude::*;

/// A menu behind a button.
#[component]
pub fn Menu(
    /// Classes of its button.
    #[prop(optional)]
    kind: ButtonKind,
    /// What the button says or, with `icon` alone, what it is called.
    #[prop(into)]
    label: String,
    /// An icon; then the label is only heard.
    #[prop(optional)]
    icon: Option<&'static str>,
    /// Classes of the body.
    #[prop(default = "pop-body")]
    body: &'static str,
    /// What it offers.
    children: Children,
) -> impl IntoView {
    let summary = match icon {
        Some(name) => view! {
            <summary class="btn btn-ghost btn-xs btn-square" aria-label=label>
                <Icon name/>
            </summary>
        }
        .into_any(),
        None => view! {
            <summary class=kind.class()>
                {label}
                <Icon name="chevron-down" size=IconSize::Small/>
            </summary>
        }
        .into_any(),
    };
    view! {
        <details class="pop">
            {summary}
            <div class=body>{children()}</div>
        </details>
    }
    .into_any()
}

/// A button that opens a sentence and the button that does it.
#[component]
pub fn Confirm(
    /// What the first button says.
    opens: &'static str,
    /// What the first button is called, where several stand in a table.
    #[prop(into)]
    label: String,
    /// Its icon.
    icon: &'static str,
    /// Classes of the first button.
    #[prop(default = ButtonKind::Row)]
    kind: ButtonKind,
    /// What will happen.
    #[prop(into)]
    sentence: String,
    /// The form that does it.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="pop">
            <summary class=kind.class() aria-label=label>
                <Icon name=icon size=IconSize::Small/>
                {opens}
            </summary>
            <div class="pop-body p-3 grid gap-3 w-64 whitespace-normal">
                <p class="text-small text-ink-2">{sentence}</p>
                {children()}
            </div>
        </details>
    }
    .into_any()
}
