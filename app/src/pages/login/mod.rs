//! Signing in.
//!
//! **Invariant:** the page never tells whether the name or the password was wrong.

pub mod api;

use crate::browser;
use crate::components::ActionForm;
use crate::components::{Ears, Favicon, Field, FormError, Sign};
use crate::wire::Deed;
use api::LogIn;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The sign-in page.
#[component]
pub fn Login() -> impl IntoView {
    let query = use_query_map();
    let next = query.with_untracked(|q| q.get("next").unwrap_or_default());
    let log_in = Deed::<LogIn>::new();
    let error = move || log_in.error();
    // A wrong password is one sentence above both fields; what is wrong with one field stands below it.
    let problem = move |field: &'static str| Signal::derive(move || error().and_then(|e| e.problem_of(field)));
    let pending = log_in.pending();
    Effect::new(move || browser::focus_on_error(error().is_some(), "password"));
    view! {
        <Title text="Sign in"/>
        <Favicon sign=Sign::Plain/>
        <a class="skip" href="#name" rel="external">"Skip to the form"</a>
        <main class="gate">
            <div class="w-full max-w-[344px]">
                <Ears width=88/>
                <section class="panel" aria-labelledby="sign-in">
                    <ActionForm action=log_in attr:class="p-6 grid gap-4">
                        <h1 id="sign-in">"Sign in"</h1>
                        <FormError error=Signal::derive(error) fields=&["name", "password"]/>
                        <input type="hidden" name="next" value=next/>
                        <Field
                            name="name"
                            label="Name"
                            autocomplete="username"
                            required=true
                            autofocus=true
                            error=problem("name")
                        />
                        <Field
                            name="password"
                            label="Password"
                            kind="password"
                            autocomplete="current-password"
                            required=true
                            error=problem("password")
                        />
                        <button class="btn btn-primary" type="submit" aria-busy=move || pending.get().to_string()>
                            "Sign in"
                        </button>
                    </ActionForm>
                </section>
                <p class="text-small text-ink-3 text-center mt-4">
                    "No account? An admin adds one with " <code>"caracal user add"</code> "."
                </p>
            </div>
        </main>
    }
    .into_any()
}
