//! A plan's badge, as a part of its page: what it looks like, and how other pages embed it.
//!
//! **Invariant:** it is off until an editor makes its key; the key can be renewed and taken away.

pub mod api;
mod texts;

use crate::components::{ActionForm, ButtonKind, Confirm, CopyLine, ErrorNote, Icon, Loaded, SubmitButton, Time};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use api::{BadgeView, MakeBadgeKey, RemoveBadgeKey, get_badge};
use domain::PlanId;
use domain::badge::BadgeKey;
use leptos::prelude::*;

/// The section; nothing for those who may not write plans.
#[component]
pub fn BadgeOfPlan(
    /// Which plan.
    plan: PlanId,
    /// Its name.
    #[prop(into)]
    name: Signal<String>,
) -> impl IntoView {
    let make = Deed::<MakeBadgeKey>::new();
    let remove = Deed::<RemoveBadgeKey>::new();
    let badge = Source::new(
        move || (make.version().get(), remove.version().get()),
        move |_| get_badge(plan),
    );
    view! {
        <Loaded of=badge part=true body=move |data| view! { <Body data plan name make remove/> }.into_any()/>
    }
    .into_any()
}

#[component]
fn Body(
    data: Signal<BadgeView>,
    plan: PlanId,
    name: Signal<String>,
    make: Deed<MakeBadgeKey>,
    remove: Deed<RemoveBadgeKey>,
) -> impl IntoView {
    let key = memo(move |_| data.with(|d| d.key.clone()));
    let may = memo(move |_| data.with(|d| d.may));
    let page = memo(move |_| data.with(|d| d.page.clone()));
    let failed = move || {
        let error = make.error().or_else(|| remove.error());
        error.map(|error| view! { <ErrorNote error/> })
    };
    let body = move || match key.get() {
        Some(key) => open(plan, key, name.get(), page.get(), make, remove),
        None => closed(plan, name.get(), make),
    };
    view! {
        <Show when=move || may.get()>
            <section class="sect" aria-labelledby="badge">
                <div class="sect-head">
                    <h2 id="badge">"Badge"</h2>
                    <span class="aside desk">"how the last task ended, for pages of others"</span>
                </div>
                {failed} {body}
            </section>
        </Show>
    }
    .into_any()
}

fn picture(src: String, name: &str) -> AnyView {
    view! { <img src=src alt=format!("The badge of {name}") height="20"/> }.into_any()
}

/// Without a key: those who are signed in see it, and nobody else.
fn closed(plan: PlanId, name: String, make: Deed<MakeBadgeKey>) -> AnyView {
    view! {
        <div class="flex flex-wrap items-center gap-x-4 gap-y-3 pt-3">
            {picture(format!("/plans/{plan}/badge.svg"), &name)}
            <p class="text-ink-2 text-table flex-1 min-w-52">
                "Only who is signed in sees it. An address with a key of its own shows it to everybody who has that address."
            </p>
            <ActionForm action=make>
                <input type="hidden" name="plan" value=plan.0/>
                <SubmitButton icon="link">"Make an address"</SubmitButton>
            </ActionForm>
        </div>
    }
    .into_any()
}

fn open(
    plan: PlanId,
    key: BadgeKey,
    name: String,
    page: String,
    make: Deed<MakeBadgeKey>,
    remove: Deed<RemoveBadgeKey>,
) -> AnyView {
    let line = |label: &'static str, act: &'static str, text: String| {
        view! {
            <div class="field">
                <span class="lab">{label}</span>
                <CopyLine text label=act/>
            </div>
        }
    };
    view! {
        <div class="grid gap-3 pt-3">
            <p class="flex flex-wrap items-center gap-x-4 gap-y-2 text-ink-2 text-table">
                {picture(format!("/plans/{plan}/badge.svg?key={}", key.key), &name)}
                <span>
                    "Everybody who has this address sees it, since " <Time at=key.made_at/> ". Add " <code>"&branch=main"</code>
                    " for one branch."
                </span>
            </p>
            {line("Markdown", "Copy the Markdown", texts::markdown(&name, &key.url, &page))}
            {line("HTML", "Copy the HTML", texts::html(&name, &key.url, &page))}
            {line("Address", "Copy the badge's address", key.url.clone())}
            <div class="flex flex-wrap gap-2">
                <Confirm
                    opens="Renew the key"
                    label="Renew the key of the badge"
                    icon="rotate-cw"
                    kind=ButtonKind::Line
                    sentence="Pages with the present address show nothing from then on, until they are given the new one."
                >
                    <ActionForm action=make>
                        <input type="hidden" name="plan" value=plan.0/>
                        <button class=ButtonKind::Danger.class() type="submit">"Renew it"</button>
                    </ActionForm>
                </Confirm>
                <Confirm
                    opens="Remove the key"
                    label="Remove the key of the badge"
                    icon="trash-2"
                    kind=ButtonKind::Line
                    sentence="Only who is signed in sees the badge from then on."
                >
                    <ActionForm action=remove>
                        <input type="hidden" name="plan" value=plan.0/>
                        <button class=ButtonKind::Danger.class() type="submit">
                            <Icon name="trash-2"/>
                            "Remove it"
                        </button>
                    </ActionForm>
                </Confirm>
            </div>
        </div>
    }
    .into_any()
}
