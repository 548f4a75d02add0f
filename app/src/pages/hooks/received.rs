//! What came to a hook last, and what came of it.
//!
//! **Invariant:** what others named is text; each delivery leads to what was decided about it.

use crate::components::{Blank, Icon, IconSize, Time};
use crate::pages::triggers::{size, verdict_look};
use domain::trigger::{ReceivedFiring, ReceivedView};
use leptos::prelude::*;

/// The section.
#[component]
pub fn Received(
    /// What came, newest first.
    all: Vec<ReceivedView>,
    /// Whether anybody listens.
    heard: bool,
) -> impl IntoView {
    let none = all.is_empty();
    let rows: Vec<_> = all.into_iter().map(|d| row(d, heard)).collect();
    view! {
        <section class="sect" aria-labelledby="deliveries">
            <div class="sect-head">
                <h2 id="deliveries">"Deliveries"</h2>
                <span class="aside desk">"the newest"</span>
            </div>
            {none
                .then(|| {
                    view! {
                        <Blank
                            small=true
                            title="Nothing was delivered yet"
                            sentence="What is delivered and proves itself stands here, with what each trigger decided about it."
                        />
                    }
                })}
            {(!none).then(|| view! { <ol class="rows">{rows}</ol> })}
        </section>
    }
    .into_any()
}

fn row(d: ReceivedView, heard: bool) -> impl IntoView {
    let firings: Vec<_> = d.firings.into_iter().map(firing).collect();
    let nobody = firings.is_empty().then(|| {
        view! {
            <span class="text-ink-3">
                {if heard { "no trigger listened then" } else { "no trigger listens" }}
            </span>
        }
    });
    view! {
        <li class="max-md:flex-wrap">
            <span class="num text-ink-3 w-28 shrink-0">
                <Time at=d.at seconds=true/>
            </span>
            <span class="min-w-0 flex-1 max-md:basis-full">
                <b class="font-[560] wrap-anywhere">{d.event.unwrap_or_else(|| "delivery".into())}</b>
                <span class="text-ink-3">" from " {d.from} ", " {size(d.size)} ", proved by " {d.proof}</span>
                <span class="block text-small text-ink-3 mono wrap-anywhere">{d.key}</span>
            </span>
            <span class="min-w-0 w-[38%] max-md:w-full grid gap-1.5">{firings} {nobody}</span>
        </li>
    }
}

fn firing(f: ReceivedFiring) -> impl IntoView {
    let look = verdict_look(f.verdict);
    view! {
        <span class="inl gap-1.5! min-w-0">
            <span class=look.class>
                <Icon name=look.icon size=IconSize::Small/>
            </span>
            <a class="alink trunc" href=format!("/firings/{}", f.id)>{f.trigger}</a>
            <span class="text-ink-2">{look.word}</span>
        </span>
    }
}
