//! A choice of one among several, as a field of a form.
//!
//! **Invariant:** it is sent under its name with a script and without; what is wrong with it is tied to it.

use leptos::prelude::*;

/// A choice of one.
#[component]
pub fn Choice(
    /// Argument name, also its id.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What is chosen at first.
    #[prop(into)]
    value: String,
    /// What there is: what is sent, and its words.
    options: Vec<(String, String)>,
    /// A sentence of help.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(sent, words)| {
            let selected = sent == value;
            view! { <option value=sent selected=selected>{words}</option> }
        })
        .collect();
    let (hint_id, error_id) = (format!("{name}-hint"), format!("{name}-error"));
    let described = {
        let (hint_id, error_id, hinted) = (hint_id.clone(), error_id.clone(), hint.is_some());
        move || match error.get().is_some() {
            true => Some(error_id.clone()),
            false => hinted.then(|| hint_id.clone()),
        }
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <select
                id=name
                name=name
                class="select"
                aria-describedby=described
                aria-invalid=move || error.get().is_some().then_some("true")
            >
                {options}
            </select>
            {hint.map(|h| view! { <p class="hint" id=hint_id>{h}</p> })}
            {move || error.get().map(|e| view! { <p class="text-small text-failed" id=error_id.clone()>{e}</p> })}
        </div>
    }
    .into_any()
}
