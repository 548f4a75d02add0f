//! The hook of a webhook trigger: the address to deliver to, and what became of deliveries.
//!
//! **Invariant:** of a refused delivery only what was kept of it is shown: no byte of its body.

use crate::browser;
use crate::components::{Icon, IconSize, Note, Time};
use crate::pages::hooks::sender;
use domain::trigger::{HookView, RefusalView};
use leptos::prelude::*;

/// The section.
#[component]
pub fn Hook(hook: HookView) -> impl IntoView {
    let copied = hook.url.clone();
    let others = hook.triggers.len().saturating_sub(1);
    let shared = (others > 0).then(|| match others {
        1 => "another trigger listens to it too".to_owned(),
        n => format!("{n} other triggers listen to it too"),
    });
    let first = hook.seen_at.is_none().then(|| {
        view! {
            <Note icon="hourglass">
                <span>
                    "It waits for its first delivery. Enter the address and the secret where " {hook.provider.name()}
                    " keeps its webhooks, then push, or let it send a test."
                </span>
            </Note>
        }
    });
    let tone = if hook.refused > 0 { "num text-failed" } else { "num" };
    let secret = hook.secret_at.map(|at| view! { "set " <Time at/> });
    let rotating = hook
        .rotating_since
        .map(|at| view! { <span class="block">"two secrets are believed since " <Time at/></span> });
    let seen = hook.seen_at.map(|at| view! { ", the newest " <Time at/> });
    let refused = (!hook.refusals.is_empty()).then(|| view! { <Refusals all=hook.refusals/> });
    view! {
        <section class="sect" aria-labelledby="hook">
            <div class="sect-head">
                <h2 id="hook">"Address for deliveries"</h2>
                <span class="aside">
                    <span class="desk">{shared} " "</span>
                    <a class="alink" href=format!("/admin/hooks/{}", hook.id)>"The hook"</a>
                </span>
            </div>
            <div class="grid gap-4 pt-3">
                <div class="cmd">
                    <code class="wrap-anywhere">{hook.url}</code>
                    <button
                        type="button"
                        class="btn btn-ghost btn-xs needs-script"
                        aria-label="Copy the address"
                        on:click=move |_| browser::copy(&copied)
                    >
                        <Icon name="copy" size=IconSize::Small/>
                        "Copy"
                    </button>
                </div>
                {first}
                <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-md:grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-1.5">
                    <dl class="kv content-start">
                        <dt>"Sender"</dt>
                        <dd>{sender(hook.provider, &hook.signing)}</dd>
                        <dt>"Secret"</dt>
                        <dd>{secret} {rotating}</dd>
                    </dl>
                    <dl class="kv content-start">
                        <dt>"Taken"</dt>
                        <dd class="num">{hook.accepted} {seen}</dd>
                        <dt>"Refused"</dt>
                        <dd class=tone>{hook.refused}</dd>
                    </dl>
                </div>
                {refused}
            </div>
        </section>
    }
    .into_any()
}

/// What was refused last.
#[component]
pub fn Refusals(all: Vec<RefusalView>) -> impl IntoView {
    let count = all.len();
    let rows: Vec<_> = all.into_iter().map(refusal).collect();
    view! {
        <details class="panel overflow-clip">
            <summary class="px-4 min-h-11 flex items-center gap-2 text-table">
                <Icon name="chevron-right" size=IconSize::Small class="twist"/>
                <b class="font-[600]">"Refused deliveries"</b>
                <span class="text-ink-3">{match count {
                    1 => "the last one".to_owned(),
                    n => format!("the last {n}"),
                }}</span>
            </summary>
            <div class="px-4 pb-3">
                <ol class="rows">{rows}</ol>
            </div>
        </details>
    }
}

fn refusal(r: RefusalView) -> impl IntoView {
    let headers = (!r.headers.is_empty()).then(|| {
        view! { <span class="block text-small text-ink-3 mono wrap-anywhere">{r.headers.join(", ")}</span> }
    });
    view! {
        <li class="max-md:flex-wrap">
            <span class="num text-ink-3 w-28 shrink-0">
                <Time at=r.at seconds=true/>
            </span>
            <span class="min-w-0 flex-1 max-md:basis-full">
                {r.reason}
                "."
                <span class="text-ink-3">" From "{r.from}", "{size(r.size)}"."</span>
                {headers}
            </span>
        </li>
    }
}

/// Bytes as people say them: `812 bytes`, `8.1 KB`.
pub fn size(bytes: i64) -> String {
    match bytes {
        1 => "1 byte".into(),
        ..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} KB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        for (n, want) in [
            (0, "0 bytes"),
            (812, "812 bytes"),
            (8_134, "8.1 KB"),
            (1_048_576, "1.0 MB"),
        ] {
            assert_eq!(size(n), want);
        }
    }
}
