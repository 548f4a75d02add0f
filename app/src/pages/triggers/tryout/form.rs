//! The form of a try: rules, who sends, and the payload.
//!
//! **Invariant:** a field is named as the draft names it, so it is sent the same with a script and without.

use super::TryPayload;
use super::api::{TryDraft, TryPage};
use crate::components::{ActionForm, ButtonKind, SubmitButton, Time};
use crate::editor::{Editor, State};
use crate::wire::Deed;
use domain::trigger::Provider;
use leptos::prelude::*;

/// Who sends, as people call them.
const SENDERS: [(Provider, &str); 4] = [
    (Provider::GitHub, "GitHub"),
    (Provider::GitLab, "GitLab"),
    (Provider::Gitea, "Forgejo or Gitea"),
    (Provider::Generic, "Anything else"),
];
/// What headers call a delivery.
const EVENTS: [&str; 6] = ["push", "pull_request", "release", "create", "delete", "ping"];

/// The form.
#[component]
pub fn Form(data: Signal<TryPage>, written: RwSignal<TryDraft>, editor: Editor) -> impl IntoView {
    let sent = expect_context::<Deed<TryPayload>>();
    let first = data.get_untracked();
    let d = first.draft.clone();
    let origin = first.of.map(|of| {
        let firing = of.firing.map(|id| view! { " of " <a class="alink" href=format!("/firings/{id}")>"firing " {id.0}</a> });
        let large = of.large.then_some(": too large to be edited here. Paste a part of it.");
        view! {
            <p class="hint" id="payload-hint">
                "Delivered " <Time at=of.at/> {firing} {large} {(!of.large).then_some(", secrets taken out. Change it, or paste another.")}
            </p>
        }
    });
    let live = move || {
        (editor.state() == State::There)
            .then(|| view! { <span class="text-small text-ink-3">"The answer follows what you write."</span> })
    };
    view! {
        <ActionForm action=sent attr:class="grid gap-4 content-start min-w-0">
            <input type="hidden" name="trigger" value=first.trigger.id.0/>
            <div class="field">
                <label for="rules">"When all of these are true"</label>
                <textarea
                    id="rules"
                    name="draft[rules]"
                    class="textarea mono field-sizing-content"
                    rows="2"
                    placeholder="branch == release/*"
                    spellcheck="false"
                    autocapitalize="off"
                    on:input:target=move |ev| written.update(|w| w.rules = ev.target().value())
                >
                    {d.rules}
                </textarea>
            </div>
            {sender(first.provider, &d.provider, d.event, written)}
            <div class="field">
                <label for="payload">"Payload, as JSON"</label>
                <textarea
                    id="payload"
                    name="draft[payload]"
                    class="textarea mono text-small h-[52vh] max-sm:h-[36vh]"
                    placeholder="{ \"ref\": \"refs/heads/main\" }"
                    spellcheck="false"
                    autocapitalize="off"
                    aria-describedby=first.of.is_some().then_some("payload-hint")
                    on:input:target=move |ev| written.update(|w| w.payload = ev.target().value())
                >
                    {d.payload}
                </textarea>
                {origin}
            </div>
            <div class="flex flex-wrap items-center gap-3">
                <SubmitButton kind=ButtonKind::Primary icon="list-checks">
                    "Try it"
                </SubmitButton>
                {live}
            </div>
        </ActionForm>
    }
    .into_any()
}

/// Who sends it, and what its header says.
fn sender(hook: Option<Provider>, value: &str, event: String, written: RwSignal<TryDraft>) -> impl IntoView + use<> {
    let options: Vec<_> = SENDERS
        .into_iter()
        .filter(|(p, _)| hook.is_none_or(|hook| hook == *p))
        .map(|(p, text)| {
            let word = p.as_str();
            view! {
                <option value=word selected=word == value>
                    {text}
                </option>
            }
        })
        .collect();
    let events: Vec<_> = EVENTS
        .map(|e| view! { <option value=e></option> })
        .into_iter()
        .collect();
    // GitLab and others say what it is in the payload.
    let headed = hook.is_none_or(|p| matches!(p, Provider::GitHub | Provider::Gitea));
    view! {
        <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4">
            <div class="field">
                <label for="provider">"As it comes from"</label>
                <select
                    id="provider"
                    name="draft[provider]"
                    class="select select-sm"
                    on:change:target=move |ev| written.update(|w| w.provider = ev.target().value())
                >
                    {options}
                </select>
            </div>
            {headed
                .then(|| {
                    view! {
                        <div class="field">
                            <label for="event">"Its header calls it"</label>
                            <input
                                id="event"
                                name="draft[event]"
                                class="input input-sm font-mono"
                                value=event
                                list="events"
                                autocomplete="off"
                                spellcheck="false"
                                on:input:target=move |ev| written.update(|w| w.event = ev.target().value())
                            />
                            <datalist id="events">{events}</datalist>
                        </div>
                    }
                })}
        </div>
    }
}
