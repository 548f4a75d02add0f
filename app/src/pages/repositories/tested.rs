//! The test of a connection: its button, and what git said.
//!
//! **Invariant:** what was said is a sentence of ours around what git said, as text; the branches are those that are there.

use super::api::TestRepository;
use super::looks::{health_look, unwell};
use crate::components::{ActionForm, ButtonKind, Icon, IconSize, Note};
use crate::wire::Deed;
use domain::RepositoryId;
use domain::repository::Connection;
use leptos::prelude::*;

/// The button.
pub fn button(id: RepositoryId, test: Deed<TestRepository>) -> AnyView {
    let pending = test.pending();
    view! {
        <ActionForm action=test>
            <input type="hidden" name="repository" value=id.0/>
            <button class=ButtonKind::Primary.class() type="submit" aria-busy=move || pending.get().to_string()>
                <Icon name="cable"/>
                {move || if pending.get() { "Asking it…" } else { "Test the connection" }}
            </button>
        </ActionForm>
    }
    .into_any()
}

/// What git said.
pub fn said(found: Connection) -> AnyView {
    let look = health_look(found.health);
    let tone = if unwell(found.health) { "st-failed" } else { "st-passed" };
    let head = found
        .default_branch
        .map(|b| view! { " Its default branch is " <code class="wrap-anywhere">{b}</code> "." });
    let branches: Vec<_> = found
        .branches
        .into_iter()
        .map(|b| view! { <li><code class="wrap-anywhere">{b}</code></li> })
        .collect();
    let branches = (!branches.is_empty()).then(|| {
        view! {
            <details class="mt-1">
                <summary class="cursor-pointer text-small inl gap-1!">
                    <Icon name="chevron-right" size=IconSize::Small class="twist"/>
                    "Its branches"
                </summary>
                <ul class="flex flex-wrap gap-x-3 gap-y-1 mt-1">{branches}</ul>
            </details>
        }
    });
    view! {
        <Note icon=look.icon tone=tone>
            <div class="min-w-0" role="status">
                <p class="wrap-anywhere">
                    <b class="font-[600]">{sentence(look.word)}</b>
                    " "
                    {found.said}
                    {head}
                </p>
                {branches}
            </div>
        </Note>
    }
    .into_any()
}

/// A word as a sentence: `healthy` is `Healthy.`
fn sentence(word: &str) -> String {
    let mut c = word.chars();
    c.next()
        .map(|f| f.to_uppercase().chain(c).chain(['.']).collect())
        .unwrap_or_default()
}
