//! Setting the server up: the one-time code makes the first admin.
//!
//! **Invariant:** once there is an admin the page is gone: it answers 404 and leads to the sign-in page.

pub mod api;

use crate::components::ActionForm;
use crate::components::{Ears, ErrorNote, Favicon, Field, FormError, Icon, IconSize, LinkButton, Sign};
use crate::error::answer_with;
use crate::memo::memo;
use crate::wire::{Deed, Source};
use api::{SetUp, SetupView, get_setup};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The set-up page.
#[component]
pub fn Setup() -> impl IntoView {
    let query = use_query_map();
    let code = query.with_untracked(|q| q.get("code").unwrap_or_default());
    let setup = Source::new(|| (), |()| get_setup());
    view! {
        <Title text="Set up"/>
        <Favicon sign=Sign::Plain/>
        <main class="gate place-items-start! justify-center! pt-16! max-md:pt-10!">
            <div class="w-full max-w-[560px] mx-auto">
                <Ears width=104/>
                <Transition>
                    {move || {
                        let code = code.clone();
                        Suspend::new(async move {
                            match setup.wait().await {
                                Ok(SetupView { open: true, public_url }) => {
                                    view! { <SetupForm code public_url/> }.into_any()
                                }
                                Ok(_) => done().into_any(),
                                Err(error) => {
                                    answer_with(error.status());
                                    view! { <ErrorNote error/> }.into_any()
                                }
                            }
                        })
                    }}
                </Transition>
            </div>
        </main>
    }
    .into_any()
}

fn done() -> impl IntoView {
    answer_with(404);
    view! {
        <section class="panel p-6 grid gap-3">
            <h1>"This server is set up"</h1>
            <p class="text-ink-2">
                "It has its first admin, so this page has done its work. An admin adds more people with "
                <code>"caracal user add"</code> "."
            </p>
            <div>
                <LinkButton href="/login" kind=crate::components::ButtonKind::Primary>
                    "Sign in"
                </LinkButton>
            </div>
        </section>
    }
}

#[component]
fn SetupForm(code: String, public_url: String) -> impl IntoView {
    let set_up = Deed::<SetUp>::new();
    let error = move || set_up.error();
    let problem = move |field: &'static str| Signal::derive(move || error().and_then(|e| e.problem_of(field)));
    let came_with_code = !code.is_empty();
    // The code of the link need not be seen, unless it is the wrong one.
    let typed = memo(move |_| !came_with_code || problem("code").get().is_some());
    let code_field = move || {
        if typed.get() {
            view! {
                <Field
                    name="code"
                    label="One-time code"
                    value=code.clone()
                    required=true
                    autocomplete="one-time-code"
                    autofocus=true
                    hint="The server printed it at its start, in the set-up link."
                    error=problem("code")
                />
            }
            .into_any()
        } else {
            view! { <input type="hidden" name="code" value=code.clone()/> }.into_any()
        }
    };
    view! {
        <section class="panel">
            <header class="px-6 pt-6 pb-2">
                <h1 class="text-display! leading-9!">"Your first task in a minute"</h1>
                <p class="text-ink-2 mt-1">
                    "Caracal runs on this machine and keeps everything in one folder. It only needs to know who you are."
                </p>
            </header>
            <ol class="px-6 pb-3">
                <li class="grid grid-cols-[28px_minmax(0,1fr)] gap-x-3 py-4">
                    {number(1, true)}
                    <div class="min-w-0">
                        <h2 class="text-[0.9375rem]!">"Admin account"</h2>
                        <p class="text-table text-ink-2">"It may do everything; add others later."</p>
                        <ActionForm action=set_up attr:class="grid gap-3 mt-3 max-w-[344px]">
                            <FormError error=Signal::derive(error) fields=&["code", "name", "password"]/>
                            {code_field}
                            <Field
                                name="name"
                                label="Name"
                                required=true
                                autocomplete="username"
                                autofocus=came_with_code
                                error=problem("name")
                            />
                            <Field
                                name="password"
                                label="Password"
                                kind="password"
                                required=true
                                minlength=8
                                autocomplete="new-password"
                                hint="At least 8 characters; a sentence is best."
                                error=problem("password")
                            />
                            <div>
                                <button class="btn btn-primary btn-sm" type="submit">
                                    "Make the account"
                                    <Icon name="arrow-right"/>
                                </button>
                            </div>
                        </ActionForm>
                    </div>
                </li>
                <li class="grid grid-cols-[28px_minmax(0,1fr)] gap-x-3 py-4 border-t border-line-soft">
                    <span class="text-passed inline-flex justify-center pt-0.5">
                        <Icon name="circle-check" size=IconSize::Large/>
                    </span>
                    <div class="min-w-0">
                        <h2 class="text-[0.9375rem]!">"Address of this server"</h2>
                        <p class="text-table text-ink-2">
                            <span class="sr-only">"Done: "</span>
                            <span class="mono">{public_url}</span> ", set by " <code>"public_url"</code> " when it is another."
                        </p>
                    </div>
                </li>
                <li class="grid grid-cols-[28px_minmax(0,1fr)] gap-x-3 py-4 border-t border-line-soft">
                    {number(2, false)}
                    <div class="min-w-0">
                        <h2 class="text-[0.9375rem]! text-ink-2 font-[520]!">"Write and run a plan"</h2>
                        <p class="text-table text-ink-2">
                            "Next, on the page of plans: a few lines say what to run and from which repository."
                        </p>
                    </div>
                </li>
            </ol>
        </section>
    }
    .into_any()
}

fn number(n: u8, now: bool) -> impl IntoView {
    let class = if now {
        "text-tawny-ink inline-flex justify-center pt-0.5"
    } else {
        "text-ink-3 inline-flex justify-center pt-0.5"
    };
    view! {
        <span class=class aria-hidden="true">
            <span class="inline-grid place-items-center size-5 rounded-full border-[1.5px] border-current text-micro font-[650] num">
                {n}
            </span>
        </span>
    }
}
