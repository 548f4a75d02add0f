//! The revisions of a plan: who saved what when, each a link to its document.
//!
//! **Invariant:** the current one is marked; tasks keep their own snapshot whatever is saved later.

use super::document::Document;
use super::view::{PlanPage, RevisionRow};
use crate::address::address;
use crate::components::{Ago, Rows};
use crate::memo::memo;
use domain::{PlanId, Timestamp};
use leptos::prelude::*;

/// The document of the revision that is shown, beside the list of revisions.
#[component]
pub fn Revisions(
    /// The page's data.
    data: Signal<PlanPage>,
) -> impl IntoView {
    let shown = memo(move |_| data.with(|d| (d.shown, d.plan.revision, d.document.clone())));
    let items = memo(move |_| {
        data.with(|d| {
            d.revisions
                .iter()
                .map(|r| (r.clone(), r.number == d.shown, r.number == d.plan.revision))
                .collect::<Vec<_>>()
        })
    });
    let plan = memo(move |_| data.with(|d| d.plan.id));
    let now = Signal::derive(move || data.with(|d| d.now));
    view! {
        <section class="sect" aria-labelledby="document">
            <div class="sect-head">
                <h2 id="document">"Document"</h2>
                <span class="aside">
                    {move || {
                        let (shown, current, _) = shown.get();
                        if shown == current { format!("revision {shown}, the current one") } else { format!("revision {shown}, not the current one") }
                    }}
                </span>
            </div>
            <div class="grid min-[1100px]:grid-cols-[minmax(0,1fr)_300px] gap-6 mt-3">
                <div class="min-w-0">
                    {move || {
                        let (number, _, text) = shown.get();
                        view! { <Document text label=format!("Plan document, revision {number}")/> }
                    }}
                </div>
                <div class="min-w-0">
                    <h3 class="text-small text-ink-3 font-[560]">"Revisions"</h3>
                    <ul class="rows mt-1">
                        <Rows
                            items
                            key=|r: &(RevisionRow, bool, bool)| r.0.number
                            row=move |(r, shown, current)| row(plan.get_untracked(), r, shown, current, now.get_untracked())
                        />
                    </ul>
                </div>
            </div>
        </section>
    }
}

fn row(plan: PlanId, r: RevisionRow, shown: bool, current: bool, now: Timestamp) -> AnyView {
    let number = r.number.to_string();
    let wanted = if current { "" } else { number.as_str() };
    let href = format!(
        "{}#document",
        address(&format!("/plans/{plan}"), [("revision", wanted)])
    );
    let by = r.author.unwrap_or_else(|| "the command line".into());
    view! {
        <li>
            <div class="min-w-0 flex-1">
                <span class="flex items-center gap-2">
                    <a href=href aria-current=shown.then_some("true") class=if shown { "font-[600]" } else { "" }>
                        "Revision " {number.clone()}
                    </a>
                    {current.then(|| view! { <span class="chip">"current"</span> })}
                </span>
                {(!r.message.is_empty()).then(|| view! { <span class="block text-ink-2">{r.message}</span> })}
                <span class="t2">
                    <span class="trunc">{by}</span>
                    <span class="sep">"·"</span>
                    <Ago at=r.created_at now/>
                </span>
            </div>
        </li>
    }
    .into_any()
}
