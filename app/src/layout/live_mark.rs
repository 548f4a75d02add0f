//! The mark that says whether the page is fed with news.
//!
//! **Invariant:** it says what is so: without a script it says nothing.

use crate::live::{Link, use_link};
use leptos::prelude::*;

/// A dot and a word.
#[component]
pub fn LiveMark(
    /// Shows the dot alone; the word is only heard.
    #[prop(optional)]
    quiet: bool,
) -> impl IntoView {
    let link = use_link();
    move || {
        let link = link.get();
        let class = match link {
            Link::Off => return None,
            Link::Live => "live",
            Link::Connecting | Link::Retrying => "live live-off",
        };
        let word = if quiet { "sr-only" } else { "" };
        Some(view! {
            <span class=class title=link.word()>
                <span class=word>{link.word()}</span>
            </span>
        })
    }
}
