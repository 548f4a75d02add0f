//! The form that makes a token.
//!
//! **Invariant:** what it offers first is what one machine needs: one use, an hour, no labels.

use super::Deeds;
use super::api::AddView;
use crate::components::{ActionForm, Field, FormError, Icon};
use crate::memo::memo;
use leptos::prelude::*;

/// The section.
#[component]
pub fn NewToken(data: Signal<AddView>) -> impl IntoView {
    let create = expect_context::<Deeds>().create;
    let of = move |field: &'static str| Signal::derive(move || create.error().and_then(|e| e.problem_of(field)));
    let wrong = of("labels");
    let again = memo(move |_| create.version().get() > 0 || data.with(|d| d.made.is_some()));
    let heading = move || if again.get() { "Another token" } else { "Make a token" };
    let class = move || {
        if again.get() {
            "btn btn-line btn-sm"
        } else {
            "btn btn-primary btn-sm"
        }
    };
    view! {
        <section class="sect" aria-labelledby="new-token">
            <div class="sect-head">
                <h2 id="new-token">{heading}</h2>
                <span class="aside desk">"it lets machines register as agents, and nothing else"</span>
            </div>
            <ActionForm action=create attr:class="grid gap-4 mt-4 max-w-[520px]">
                <FormError error=Signal::derive(move || create.error()) fields=&["uses", "labels"]/>
                <div class="grid grid-cols-2 gap-4">
                    <div class="field">
                        <label for="minutes">"Ends"</label>
                        <select id="minutes" name="minutes" class="select">
                            <option value="15">"in 15 minutes"</option>
                            <option value="60" selected=true>"in an hour"</option>
                            <option value="720">"in 12 hours"</option>
                            <option value="10080">"in a week"</option>
                            <option value="525600">"in a year"</option>
                        </select>
                    </div>
                    <Field name="uses" label="For how many machines" value="1" error=of("uses")/>
                </div>
                <div class="field">
                    <label for="labels">"Labels set on each of them"</label>
                    <textarea
                        id="labels"
                        name="labels"
                        class="textarea mono"
                        rows="2"
                        placeholder="pool=fast"
                        aria-describedby="labels-hint"
                        aria-invalid=move || wrong.get().is_some().then_some("true")
                        spellcheck="false"
                    ></textarea>
                    <p class="hint" id="labels-hint">
                        "One a line. os, arch, hostname and engine come by themselves."
                    </p>
                    {move || wrong.get().map(|e| view! { <p class="text-small text-failed">{e}</p> })}
                </div>
                <div>
                    <button class=class type="submit">
                        <Icon name="plus"/>
                        "Make the command"
                    </button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
