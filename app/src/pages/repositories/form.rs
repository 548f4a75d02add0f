//! The fields of a repository.
//!
//! **Invariant:** the field of what opens it is empty whenever a page is made; what is wrong stands at its field.

use super::view::RepositoryForm;
use crate::components::{Choice, Field};
use crate::error::Error;
use domain::trigger::Provider;
use leptos::prelude::*;

/// Fields that tell their own problems.
pub const OWN: &[&str] = &["name", "url", "provider", "api", "secret_id", "secret"];

/// The fields.
#[component]
pub fn Fields(
    /// What stands in them.
    form: RepositoryForm,
    /// Why they were refused.
    refused: Signal<Option<Error>>,
) -> impl IntoView {
    let of = move |field: &'static str| Signal::derive(move || refused.get().and_then(|e| e.problem_of(field)));
    let d = form.draft;
    let option = |sent: &str, words: &str| (sent.to_owned(), words.to_owned());
    let mut forges = vec![option("", "as its host says")];
    forges.extend(Provider::ALL.map(|p| match p {
        Provider::Generic => option(p.as_str(), "none of these"),
        forge => option(forge.as_str(), forge.name()),
    }));
    let mut secrets = vec![option("", "nothing: anybody may read it")];
    secrets.extend(form.secrets.into_iter().map(|(id, name)| (id.to_string(), name)));
    view! {
        <Field
            name="draft[name]"
            label="Name"
            value=d.name
            required=true
            autocomplete="off"
            hint="What people call it: ledger."
            error=of("name")
        />
        <Field
            name="draft[url]"
            label="URL"
            value=d.url
            required=true
            autocomplete="off"
            hint="As git clones it: https://git.example.org/money/ledger.git or git@git.example.org:money/ledger.git. No password belongs in it."
            error=of("url")
        />
        <Choice
            name="draft[provider]"
            label="Forge"
            value=d.provider
            options=forges
            hint="A forge is told how each commit fares."
            error=of("provider")
        />
        <Field
            name="draft[api]"
            label="Address of the forge's API"
            value=d.api
            autocomplete="off"
            hint="Only where it is not at its usual place below the host: https://git.example.org/forge/api/v1."
            error=of("api")
        />
        <Choice
            name="draft[opens]"
            label="Opened with the secret"
            value=d.opens
            options=secrets
            hint="Secrets of the project."
            error=of("secret_id")
        />
        <Value error=of("secret")/>
    }
    .into_any()
}

#[component]
fn Value(error: Signal<Option<String>>) -> impl IntoView {
    let described = move || {
        if error.get().is_some() {
            "value-error"
        } else {
            "value-hint"
        }
    };
    view! {
        <div class="field">
            <label for="value">"Or with something new"</label>
            <textarea
                id="value"
                name="value"
                class="textarea mono"
                rows="3"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=move || error.get().is_some().then_some("true")
            ></textarea>
            <p class="hint" id="value-hint">
                "A token, user:password, or a private key for ssh. It is sealed as a secret, takes the place of the one above, and nobody is shown it again. Leave it empty to keep what is chosen."
            </p>
            {move || error.get().map(|e| view! { <p class="text-small text-failed" id="value-error">{e}</p> })}
        </div>
    }
}
