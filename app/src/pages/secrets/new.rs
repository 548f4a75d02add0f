//! The page that makes a secret.
//!
//! **Invariant:** what is wrong stands at its field; the value is not sent back.

use super::api::{CreateSecret, LIST, get_new_secret};
use super::value;
use crate::components::ButtonKind;
use crate::components::{ActionForm, Crumb, Favicon, Field, FormError, Icon, LinkButton, Loaded, Page, Sign};
use crate::wire::{Deed, Source};
use domain::secret::SecretPlan;
use leptos::prelude::*;

/// The page.
#[component]
pub fn SecretNew() -> impl IntoView {
    let plans = Source::new(|| (), |()| get_new_secret());
    provide_context(Deed::<CreateSecret>::new());
    view! { <Loaded of=plans body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<Vec<SecretPlan>>) -> impl IntoView {
    let create = expect_context::<Deed<CreateSecret>>();
    let of = move |field: &'static str| Signal::derive(move || create.error().and_then(|e| e.problem_of(field)));
    let wrong = of("plan_id");
    let plans: Vec<_> = data
        .get_untracked()
        .into_iter()
        .map(|p| view! { <option value=p.id.0>{format!("plan {}", p.name)}</option> })
        .collect();
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title="New secret" heading="New secret" crumbs=vec![Crumb::new("Secrets", LIST)]>
            <ActionForm action=create attr:class="grid gap-4 max-w-[560px]" attr:autocomplete="off">
                <FormError error=Signal::derive(move || create.error()) fields=&["name", "plan_id", "value"]/>
                <Field
                    name="name"
                    label="Name"
                    required=true
                    autocomplete="off"
                    hint="Capitals, digits and _, as in DEPLOY_KEY."
                    error=of("name")
                />
                <div class="field">
                    <label for="plan">"For"</label>
                    <select
                        id="plan"
                        name="plan"
                        class="select"
                        aria-describedby="plan-hint"
                        aria-invalid=move || wrong.get().is_some().then_some("true")
                    >
                        <option value="">"the whole project"</option>
                        {plans}
                    </select>
                    <p class="hint" id="plan-hint">
                        "One plan's secret is of use to that plan alone."
                    </p>
                    {move || wrong.get().map(|e| view! { <p class="text-small text-failed">{e}</p> })}
                </div>
                {value::field("Value", of("value"))}
                <div class="flex flex-wrap gap-2">
                    <button class=ButtonKind::Primary.class() type="submit">
                        <Icon name="key-round"/>
                        "Add the secret"
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
