//! Paging of keyset lists: back to the newest, on to older ones.
//!
//! **Invariant:** a page is an address; nothing of it is held in memory.

use super::{Icon, IconSize};
use leptos::prelude::*;

/// Links below a list. Shows nothing when everything is on one page.
#[component]
pub fn Pager(
    /// Address of the newest page, when this is not it.
    #[prop(optional_no_strip)]
    newest: Option<String>,
    /// Address of the next, older page.
    #[prop(optional_no_strip)]
    older: Option<String>,
) -> impl IntoView {
    (newest.is_some() || older.is_some()).then(|| {
        view! {
            <nav class="flex gap-2 mt-4" aria-label="Pages">
                {newest.map(|href| view! { <a class="btn btn-line btn-sm" href=href>"Newest"</a> })}
                {older.map(|href| {
                    view! {
                        <a class="btn btn-line btn-sm" href=href rel="next">
                            "Older"
                            <Icon name="chevron-right" size=IconSize::Small/>
                        </a>
                    }
                })}
            </nav>
        }
    })
}
