//! The lists of `/admin` as tabs, where the rail has no room for them.
//!
//! **Invariant:** they are there exactly where the rail leaves them out.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

const LISTS: [(&str, &str); 3] = [
    ("/admin/repositories", "Repositories"),
    ("/admin/hooks", "Hooks"),
    ("/admin/secrets", "Secrets"),
];

/// The tabs.
#[component]
pub fn AdminTabs() -> impl IntoView {
    let path = use_location().pathname;
    let tabs = LISTS.map(|(href, name)| {
        view! {
            <a href=href aria-current=move || (path.get() == href).then_some("page")>
                {name}
            </a>
        }
    });
    view! {
        <nav class="viewtabs mb-3 md:hidden!" aria-label="Administration">
            {tabs.into_iter().collect::<Vec<_>>()}
        </nav>
    }
    .into_any()
}
