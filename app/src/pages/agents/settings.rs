//! What an admin sets for an agent: name, slots, labels.
//!
//! **Invariant:** what the agent reports and what was set over it are told apart.

use super::api::EditAgent;
use crate::components::{ActionForm, Field, FormError};
use crate::wire::Deed;
use domain::agent::AgentView;
use leptos::prelude::*;

/// The form; to be made anew when what an admin set has changed. Its version follows what is shown.
pub fn form(agent: Memo<AgentView>, edit: Deed<EditAgent>) -> AnyView {
    let a = agent.get_untracked();
    let of = move |field: &'static str| Signal::derive(move || edit.error().and_then(|e| e.problem_of(field)));
    let labels = a.labels_set.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    let slots = if a.slots == a.slots_reported {
        String::new()
    } else {
        a.slots.to_string()
    };
    let wrong = of("labels");
    let name = if a.builtin {
        view! { <p class="text-small text-ink-3">"The agent inside the server is always called builtin."</p> }
            .into_any()
    } else {
        view! { <Field name="name" label="Name" value=a.name.clone() required=true error=of("name")/> }.into_any()
    };
    view! {
        <ActionForm action=edit attr:class="grid gap-4 mt-4 max-w-[520px]">
            <FormError error=Signal::derive(move || edit.error()) fields=&["name", "slots", "labels"]/>
            <input type="hidden" name="agent" value=a.id.0/>
            <input type="hidden" name="version" value=move || agent.with(|a| a.version)/>
            {name}
            <Field
                name="slots"
                label="Slots"
                value=slots
                hint=format!("Jobs at once. Empty: as many as it says itself, {}.", a.slots_reported)
                error=of("slots")
            />
            <div class="field">
                <label for="labels">"Labels over those it reports"</label>
                <textarea
                    id="labels"
                    name="labels"
                    class="textarea mono"
                    rows=(labels.len() + 2).min(12).to_string()
                    aria-describedby="labels-hint"
                    aria-invalid=move || wrong.get().is_some().then_some("true")
                    spellcheck="false"
                >
                    {labels.join("\n")}
                </textarea>
                <p class="hint" id="labels-hint">
                    "One a line, as " <code>"pool=fast"</code> ". Plans ask for them with " <code>"runs_on"</code> "."
                </p>
                {move || wrong.get().map(|e| view! { <p class="text-small text-failed">{e}</p> })}
            </div>
            <div>
                <button class="btn btn-line btn-sm" type="submit">"Save"</button>
            </div>
        </ActionForm>
    }
    .into_any()
}
