//! The page that makes a hook.
//!
//! **Invariant:** what is wrong stands at its field; a secret that was typed is not sent back.

use super::api::{CreateHook, LIST, get_new_hook};
use crate::components::{
    ActionForm, ButtonKind, Choice, Crumb, Favicon, Field, FormError, Icon, IconSize, LinkButton, Loaded, Page, Sign,
};
use crate::wire::{Deed, Source};
use domain::trigger::Provider;
use leptos::prelude::*;

/// The page.
#[component]
pub fn HookNew() -> impl IntoView {
    let may = Source::new(|| (), |()| get_new_hook());
    provide_context(Deed::<CreateHook>::new());
    view! { <Loaded of=may body=|_| view! { <Body/> }.into_any()/> }
}

#[component]
fn Body() -> impl IntoView {
    let create = expect_context::<Deed<CreateHook>>();
    let of = move |field: &'static str| Signal::derive(move || create.error().and_then(|e| e.problem_of(field)));
    let option = |sent: &str, words: &str| (sent.to_owned(), words.to_owned());
    let senders = Provider::ALL.map(|p| match p {
        Provider::Generic => option(p.as_str(), "anything else"),
        forge => option(forge.as_str(), forge.name()),
    });
    let signings = vec![
        option("standard", "Standard Webhooks"),
        option("hmac", "HMAC-SHA-256 in a header"),
        option("bearer", "Authorization: Bearer"),
    ];
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title="New hook" heading="New hook" crumbs=vec![Crumb::new("Hooks", LIST)]>
            <ActionForm action=create attr:class="grid gap-4 max-w-[560px]" attr:autocomplete="off">
                <FormError
                    error=Signal::derive(move || create.error())
                    fields=&["name", "provider", "signing", "secret"]
                />
                <Field
                    name="name"
                    label="Name"
                    required=true
                    autocomplete="off"
                    hint="What people call it: ledger-push."
                    error=of("name")
                />
                <Choice name="provider" label="Sent by" value="github" options=senders.into() error=of("provider")/>
                <details>
                    <summary class="text-small text-ink-2 cursor-pointer inl gap-1!">
                        <Icon name="chevron-right" size=IconSize::Small class="twist"/>
                        "How anything else signs"
                    </summary>
                    <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4 pt-3">
                        <Choice name="signing" label="Signed with" value="standard" options=signings/>
                        <Field
                            name="header"
                            label="Header of the HMAC"
                            autocomplete="off"
                            value="x-signature"
                            error=of("signing")
                        />
                    </div>
                </details>
                <Field
                    name="secret"
                    label="Secret"
                    kind="password"
                    autocomplete="new-password"
                    hint="What both sides know. Leave it empty, and a fresh one is made and shown once."
                    error=of("secret")
                />
                <div class="flex flex-wrap gap-2">
                    <button class=ButtonKind::Primary.class() type="submit">
                        <Icon name="webhook"/>
                        "Make the hook"
                    </button>
                    <LinkButton href=LIST kind=ButtonKind::Ghost>
                        "Cancel"
                    </LinkButton>
                </div>
            </ActionForm>
        </Page>
    }
    .into_any()
}
