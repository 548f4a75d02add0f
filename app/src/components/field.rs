//! Form fields: label, control, hint and what is wrong, tied together for those who hear the page.
//!
//! **Invariant:** a field's `name` is the argument of the server function; the same markup serves a form without a script.

use leptos::prelude::*;

/// A one-line field.
#[component]
pub fn Field(
    /// Argument name, also its id.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// `text`, `password`, `search`…
    #[prop(default = "text")]
    kind: &'static str,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// What the browser may fill in.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// Whether it must be filled.
    #[prop(optional)]
    required: bool,
    /// Least length.
    #[prop(optional)]
    minlength: Option<u32>,
    /// Whether it takes the focus.
    #[prop(optional)]
    autofocus: bool,
    /// A sentence of help.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let error_id = format!("{name}-error");
    let describes = hint.as_ref().map(|_| hint_id.clone());
    let described = {
        let error_id = error_id.clone();
        move || {
            if error.get().is_some() {
                Some(error_id.clone())
            } else {
                describes.clone()
            }
        }
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                id=name
                name=name
                type=kind
                class="input"
                value=value
                autocomplete=autocomplete
                required=required
                minlength=minlength
                autofocus=autofocus
                aria-describedby=described
                aria-invalid=move || error.get().is_some().then_some("true")
            />
            {hint.map(|h| view! { <p class="hint" id=hint_id>{h}</p> })}
            <FieldError id=error_id error/>
        </div>
    }
    .into_any()
}

/// What is wrong with a field; nothing when it is right.
#[component]
fn FieldError(
    /// Id that the control's `aria-describedby` names.
    #[prop(into)]
    id: String,
    /// The sentence.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    move || {
        error
            .get()
            .map(|e| view! { <p class="text-small text-failed" id=id.clone()>{e}</p> })
    }
}
