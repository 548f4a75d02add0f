//! A notice above what it is about.
//!
//! **Invariant:** a notice is one sentence and, at most, one act.

use super::Icon;
use leptos::prelude::*;

/// A notice.
#[component]
pub fn Note(
    /// Its icon.
    icon: &'static str,
    /// Its colour: `st-failed`, `st-lost`, `st-passed`; plain when absent.
    #[prop(optional)]
    tone: Option<&'static str>,
    /// Whether it is read out at once.
    #[prop(optional)]
    alert: bool,
    /// What it says.
    children: Children,
) -> impl IntoView {
    let class = match tone {
        Some("st-failed") => "note note-st st-failed",
        Some("st-lost") => "note note-st st-lost",
        Some("st-passed") => "note note-st st-passed",
        _ => "note",
    };
    view! {
        <div class=class role=alert.then_some("alert")>
            <Icon name=icon/>
            {children()}
        </div>
    }
    .into_any()
}
