//! What uses a secret, as links.
//!
//! **Invariant:** names are text; each leads to where the secret can be exchanged.

use domain::secret::{SecretUser, SecretUserKind};
use leptos::prelude::*;

/// The section.
#[component]
pub fn Users(users: Vec<SecretUser>) -> impl IntoView {
    let none = users.is_empty();
    let rows: Vec<_> = users.into_iter().map(row).collect();
    view! {
        <section class="sect" aria-labelledby="users">
            <div class="sect-head">
                <h2 id="users">"Used by"</h2>
            </div>
            {none
                .then(|| {
                    view! {
                        <p class="text-ink-2 text-table pt-3">
                            "Nothing uses it. A repository can be opened with it; a hook's own secret comes and goes with the hook."
                        </p>
                    }
                })}
            {(!none).then(|| view! { <ul class="rows border-t-0!">{rows}</ul> })}
        </section>
    }
    .into_any()
}

fn row(user: SecretUser) -> impl IntoView {
    let (what, list, how) = match user.kind {
        SecretUserKind::Repository => ("repository", "repositories", "is opened with it"),
        SecretUserKind::Hook => ("hook", "hooks", "judges deliveries by it"),
        SecretUserKind::Rotating => ("hook", "hooks", "still believes it, beside the one that took its place"),
    };
    view! {
        <li>
            <span class="text-ink-3 w-24 shrink-0">{what}</span>
            <span class="min-w-0 wrap-anywhere">
                <a class="alink" href=format!("/admin/{list}/{}", user.id)>{user.name}</a>
                <span class="text-ink-2">" "{how}</span>
            </span>
        </li>
    }
}
