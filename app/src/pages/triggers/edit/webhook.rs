//! A webhook: where deliveries go, who sends them, what to do there, and whether the first has come.
//!
//! **Invariant:** the address is shown as it is; the secret is shown once, to who made it.

use super::api::EditView;
use super::fields::{Choice, ChosenHook, Text, options};
use crate::browser;
use crate::components::{Icon, IconSize, Note, Time};
use crate::memo::memo;
use crate::pages::hooks::guide::steps;
use domain::trigger::HookView;
use leptos::prelude::*;

/// The fields.
#[component]
pub fn Fields(data: Signal<EditView>) -> impl IntoView {
    let first = data.get_untracked();
    let chosen = expect_context::<ChosenHook>().0;
    let d = first.draft.clone();
    let hook = memo(move |_| data.with(|d| d.hook.clone()));
    // Kept from the first view that had it: the next one has it no more.
    let secret =
        memo(move |last: Option<&Option<String>>| data.with(|d| d.secret.clone()).or_else(|| last.cloned().flatten()));
    let there = first.hook.is_some();
    let known = hook;
    view! {
        <div class="k k-webhook grid gap-6">
            <section class="panel p-4 grid gap-4">
                {move || known.get().map(|h| address(&h))}
                {move || secret.get().map(shown_once)}
                {if there {
                    let mut hooks = options(&[]);
                    hooks.extend(first.hooks.iter().map(|(id, name)| (id.to_string(), name.clone())));
                    view! { <Choice name="hook" label="Hook it listens to" value=d.hook.clone() options=hooks typed=chosen/> }.into_any()
                } else {
                    view! { <Own data/> }.into_any()
                }}
                {move || known.get().map(|h| view! { {steps(h.provider, &h.signing)} {received(&h)} })}
                <label class="inl gap-2! text-table">
                    <input type="checkbox" class="checkbox" name="draft[ignore_skip]" value="true" checked=d.ignore_skip == "true"/>
                    <span>
                        "Start even when the commit's message says " <code>"[skip ci]"</code>
                    </span>
                </label>
            </section>
        </div>
    }
    .into_any()
}

/// What a hook of its own is to be.
#[component]
fn Own(data: Signal<EditView>) -> impl IntoView {
    let first = data.get_untracked();
    let chosen = expect_context::<ChosenHook>().0;
    let d = first.draft;
    let mut hooks = options(&[("", "one of its own")]);
    hooks.extend(first.hooks.into_iter().map(|(id, name)| (id.to_string(), name)));
    view! {
        <Choice name="hook" label="Hook it listens to" value=d.hook options=hooks typed=chosen/>
        <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4">
            <Choice
                name="provider"
                label="Sent by"
                value=d.provider
                options=options(
                    &[
                        ("github", "GitHub"),
                        ("gitlab", "GitLab"),
                        ("gitea", "Forgejo or Gitea"),
                        ("generic", "Anything else"),
                    ],
                )
            />
            <Text
                name="secret"
                label="Secret"
                kind="password"
                value=String::new()
                hint="Kept encrypted. Leave it empty, and a fresh one is made and shown once."
            />
        </div>
        <details>
            <summary class="text-small text-ink-2 cursor-pointer">"How anything else signs"</summary>
            <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4 pt-3">
                <Choice
                    name="signing"
                    label="Signed with"
                    value=d.signing
                    options=options(
                        &[
                            ("standard", "Standard Webhooks"),
                            ("hmac", "HMAC-SHA256 in a header"),
                            ("bearer", "Authorization: Bearer"),
                        ],
                    )
                />
                <Text name="header" label="Header of the HMAC" value=d.header code=true placeholder="x-signature"/>
            </div>
        </details>
        <p class="text-small text-ink-3">
            "Save it: the address, and what to do at the sender, stand here then."
        </p>
    }
    .into_any()
}

fn copy(what: &str, label: &'static str) -> impl IntoView + use<> {
    let text = what.to_owned();
    view! {
        <button type="button" class="btn btn-ghost btn-xs" aria-label=label on:click=move |_| browser::copy(&text)>
            <Icon name="copy" size=IconSize::Small/>
            "Copy"
        </button>
    }
}

fn address(hook: &HookView) -> impl IntoView + use<> {
    let url = hook.url.clone();
    view! {
        <div class="field">
            <span class="lab" id="address">"Address for the deliveries"</span>
            <div class="cmd">
                <code aria-labelledby="address">{url.clone()}</code>
                {copy(&url, "Copy the address")}
            </div>
        </div>
    }
}

fn shown_once(secret: String) -> impl IntoView {
    view! {
        <div class="field">
            <span class="lab" id="fresh-secret">"Its secret, shown this once"</span>
            <div class="cmd">
                <code aria-labelledby="fresh-secret">{secret.clone()}</code>
                {copy(&secret, "Copy the secret")}
            </div>
        </div>
    }
}

/// Whether the first delivery has come.
fn received(hook: &HookView) -> AnyView {
    let refused = hook
        .refusals
        .first()
        .cloned()
        .filter(|r| hook.seen_at.is_none_or(|seen| r.at > seen));
    let refused = refused.map(|r| {
        view! {
            <Note icon="triangle-alert" tone="st-failed">
                <span>
                    "Refused at " <Time at=r.at seconds=true/> ", from " {r.from} ": " {r.reason} "."
                </span>
            </Note>
        }
    });
    let state = match hook.seen_at {
        Some(at) => view! {
            <Note icon="circle-check" tone="st-passed">
                <span>"Last delivery received at " <Time at seconds=true/> "; its signature matches."</span>
            </Note>
        }
        .into_any(),
        None => view! {
            <Note icon="hourglass">
                <span>"Waiting for the first delivery. It shows here when it comes."</span>
            </Note>
        }
        .into_any(),
    };
    view! {
        <div class="grid gap-2" role="status">
            {state}
            {refused}
        </div>
    }
    .into_any()
}
