//! The page that asks before a hook is removed.
//!
//! **Invariant:** nothing is removed by a link; who listens is named before one tries.

use super::api::{HookPage, LIST, RemoveHook, get_hook};
use super::hook_of;
use crate::components::{ActionForm, ButtonKind, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Page, Sign};
use crate::layout::IfMay;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn HookRemove() -> impl IntoView {
    let params = use_params_map();
    let page = Source::new(move || params.with(hook_of), |id| async move { get_hook(id?, 0).await });
    provide_context(Deed::<RemoveHook>::new());
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<HookPage>) -> impl IntoView {
    let remove = expect_context::<Deed<RemoveHook>>();
    let (id, name) = data.with_untracked(|d| (d.hook.id, d.hook.name.clone()));
    let listeners: Vec<_> = data
        .get_untracked()
        .hook
        .listeners
        .into_iter()
        .map(|l| {
            view! {
                <li>
                    <a class="alink" href=format!("/triggers/{}", l.id)>{l.name}</a>
                </li>
            }
        })
        .collect();
    let in_use = !listeners.is_empty();
    let sentence = match in_use {
        true => view! {
            <p class="text-ink-2">"These triggers listen to it. Give them another hook, or remove them, first:"</p>
            <ul class="grid gap-1.5 list-disc ps-5 text-table">{listeners}</ul>
        }
        .into_any(),
        false => view! {
            <p class="text-ink-2">
                "Its secret and what was delivered to it go too. What is sent to its address from then on is answered like an address that never was. It cannot be brought back: another hook has another address."
            </p>
        }
        .into_any(),
    };
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title=format!("Remove {name}")
            heading="Remove"
            crumbs=vec![Crumb::new("Hooks", LIST), Crumb::new(name.clone(), format!("{LIST}/{id}"))]
        >
            {move || remove.error().map(|error| view! { <ErrorNote error/> })}
            <section class="panel p-6 grid gap-4 max-w-[560px]">
                <h2 class="text-title! leading-7! wrap-anywhere">"Remove "{name.clone()}"?"</h2>
                {sentence}
                <div class="flex flex-wrap gap-2">
                    <IfMay action=Action::Write>
                        {(!in_use)
                            .then(|| {
                                view! {
                                    <ActionForm action=remove>
                                        <input type="hidden" name="hook" value=id.0/>
                                        <button class=ButtonKind::Danger.class() type="submit">"Remove it"</button>
                                    </ActionForm>
                                }
                            })}
                    </IfMay>
                    <LinkButton href=format!("{LIST}/{id}") kind=ButtonKind::Ghost>
                        "Keep it"
                    </LinkButton>
                </div>
            </section>
        </Page>
    }
    .into_any()
}
