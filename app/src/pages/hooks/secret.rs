//! A hook's secret: given another one, which both sides then know, and the old one ended when the sender has the new.
//!
//! **Invariant:** a new secret is shown once; while there are two both are believed, so that no delivery is lost meanwhile.

use super::api::{EndOldSecret, HookPage, RotateHook};
use crate::components::{ActionForm, ButtonKind, CopyLine, Field, FormError, Icon, Note, SubmitButton, Time};
use crate::layout::IfMay;
use crate::memo::memo;
use crate::wire::Deed;
use domain::auth::Action;
use leptos::prelude::*;

/// The secret that was made just now.
pub fn shown_once(made: String) -> AnyView {
    view! {
        <Note icon="key-round" tone="st-passed">
            <div class="grid gap-2 min-w-0 flex-1" role="status">
                <p>
                    <b class="font-[600]">"Take the secret to the sender now."</b>
                    " It is shown this once, and kept sealed."
                </p>
                <CopyLine text=made label="Copy the secret"/>
            </div>
        </Note>
    }
    .into_any()
}

/// The section.
#[component]
pub fn Secret(data: Signal<HookPage>) -> impl IntoView {
    let facts = memo(move |_| data.with(|d| (d.hook.secret_at, d.hook.rotating_since)));
    let two = memo(move |_| facts.get().1.is_some());
    let at = memo(move |_| data.with(|d| (d.hook.id, d.hook.version)));
    let state = move || {
        let (set, since) = facts.get();
        let set = match set {
            Some(at) => view! { "Set " <Time at/> "." }.into_any(),
            None => view! { "It has none: every delivery is refused." }.into_any(),
        };
        let since = since.map(|at| {
            view! {
                " Deliveries that were signed with the one before it are believed too, since " <Time at/>
                ": end that one when the sender has the new."
            }
        });
        view! { <p class="text-ink-2 text-table">{set} {since}</p> }
    };
    view! {
        <section class="sect" aria-labelledby="secret-of-it">
            <div class="sect-head">
                <h2 id="secret-of-it">"Secret"</h2>
            </div>
            <div class="grid gap-4 pt-3">
                {state}
                <IfMay action=Action::Write>
                    <div class="flex flex-wrap items-start gap-3">
                        <Show when=move || two.get()>
                            <EndOld at/>
                        </Show>
                        <Rotate at two/>
                    </div>
                </IfMay>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn EndOld(at: Memo<(domain::HookId, i64)>) -> impl IntoView {
    let end = expect_context::<Deed<EndOldSecret>>();
    view! {
        <ActionForm action=end>
            <input type="hidden" name="hook" value=move || at.get().0.0/>
            <input type="hidden" name="version" value=move || at.get().1 prop:value=move || at.get().1.to_string()/>
            <SubmitButton kind=ButtonKind::Line icon="key">"End the old secret"</SubmitButton>
        </ActionForm>
    }
    .into_any()
}

#[component]
fn Rotate(at: Memo<(domain::HookId, i64)>, two: Memo<bool>) -> impl IntoView {
    let rotate = expect_context::<Deed<RotateHook>>();
    let error = Signal::derive(move || rotate.error());
    let wrong = Signal::derive(move || rotate.error().and_then(|e| e.problem_of("secret")));
    let hint = move || match two.get() {
        true => "The one of now is then the old one; the old one of now ends.",
        false => "The present one stays believed until you end it.",
    };
    view! {
        <details class="panel overflow-clip flex-1 min-w-[min(100%,280px)] max-w-[560px]" open=move || error.get().is_some()>
            <summary class="px-4 min-h-11 flex items-center gap-2 text-table">
                <Icon name="chevron-right" size=crate::components::IconSize::Small class="twist"/>
                "Give it another secret"
            </summary>
            <div class="px-4 pb-4">
                <ActionForm action=rotate attr:class="grid gap-4" attr:autocomplete="off">
                    <FormError error fields=&["secret"]/>
                    <input type="hidden" name="hook" value=move || at.get().0.0/>
                    <input
                        type="hidden"
                        name="version"
                        value=move || at.get().1
                        prop:value=move || at.get().1.to_string()
                    />
                    <p class="text-small text-ink-2">{hint}</p>
                    <Field
                        name="secret"
                        label="One that the sender made"
                        kind="password"
                        autocomplete="new-password"
                        hint="Leave it empty, and a fresh one is made and shown once."
                        error=wrong
                    />
                    <div>
                        <button class=ButtonKind::Primary.class() type="submit">
                            <Icon name="key-round"/>
                            "Set the new secret"
                        </button>
                    </div>
                </ActionForm>
            </div>
        </details>
    }
    .into_any()
}
