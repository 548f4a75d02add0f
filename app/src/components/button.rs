//! Buttons, and links that look like them.
//!
//! **Invariant:** one primary button a page; a button is always a real `button` of a form, a link always goes somewhere.

use super::{Icon, IconSize};
use leptos::prelude::*;

/// What a button is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ButtonKind {
    /// The one next act of the page.
    Primary,
    /// Any other act.
    #[default]
    Line,
    /// An act in the background.
    Ghost,
    /// An act that destroys.
    Danger,
    /// An act in a table row.
    Row,
}

impl ButtonKind {
    /// Its classes.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Primary => "btn btn-primary btn-sm",
            Self::Line => "btn btn-line btn-sm",
            Self::Ghost => "btn btn-ghost btn-sm",
            Self::Danger => "btn btn-error btn-sm",
            Self::Row => "btn btn-line btn-xs",
        }
    }
    const fn icon(self) -> IconSize {
        match self {
            Self::Row => IconSize::Small,
            _ => IconSize::Normal,
        }
    }
}

/// A button that sends its form.
#[component]
pub fn SubmitButton(
    /// What it is for.
    #[prop(optional)]
    kind: ButtonKind,
    /// Its icon.
    #[prop(optional)]
    icon: Option<&'static str>,
    /// Name and value it sends, if any.
    #[prop(optional)]
    sends: Option<(&'static str, &'static str)>,
    /// What it does, where the words on it do not say enough.
    #[prop(optional, into)]
    label: Option<String>,
    /// Its words.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="submit"
            class=kind.class()
            name=sends.map(|s| s.0)
            value=sends.map(|s| s.1)
            aria-label=label
        >
            {icon.map(|name| view! { <Icon name size=kind.icon()/> })}
            {children()}
        </button>
    }
}

/// A link that looks like a button.
#[component]
pub fn LinkButton(
    /// Where it goes.
    #[prop(into)]
    href: String,
    /// What it is for.
    #[prop(optional)]
    kind: ButtonKind,
    /// Its icon.
    #[prop(optional)]
    icon: Option<&'static str>,
    /// What it does, where the words on it do not say enough.
    #[prop(optional, into)]
    label: Option<String>,
    /// Its words.
    children: Children,
) -> impl IntoView {
    view! {
        <a class=kind.class() href=href aria-label=label>
            {icon.map(|name| view! { <Icon name size=kind.icon()/> })}
            {children()}
        </a>
    }
}
