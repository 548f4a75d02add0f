//! The page that asks before a trigger is removed.
//!
//! **Invariant:** nothing is removed by a link; what goes with it and what stays is said before.

use super::api::{RemoveTrigger, get_trigger};
use super::trigger_of;
use super::view::TriggerPage;
use crate::components::{ActionForm, ButtonKind, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Page, Sign};
use crate::layout::IfMay;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn TriggerRemove() -> impl IntoView {
    let params = use_params_map();
    let page = Source::new(
        move || params.with(trigger_of),
        |id| async move { get_trigger(id?, String::new(), String::new()).await },
    );
    let remove = Deed::<RemoveTrigger>::new();
    provide_context(remove);
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<TriggerPage>) -> impl IntoView {
    let remove = expect_context::<Deed<RemoveTrigger>>();
    let (id, name, plan) = data.with_untracked(|d| (d.row.id, d.row.name.clone(), d.row.plan.clone()));
    let hook = data.with_untracked(|d| match &d.hook {
        None => "",
        Some(h) if h.triggers.len() > 1 => " Its hook stays, because other triggers listen to it.",
        Some(_) => " A hook that was made with it goes too: what is delivered there is then refused.",
    });
    let failed = move || remove.error().map(|error| view! { <ErrorNote error/> });
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title=format!("Remove {name}")
            heading="Remove"
            crumbs=vec![Crumb::new("Triggers", "/triggers"), Crumb::new(name.clone(), format!("/triggers/{id}"))]
        >
            {failed}
            <section class="panel p-6 grid gap-4 max-w-[560px]">
                <h2 class="text-title! leading-7! wrap-anywhere">"Remove "{name.clone()}"?"</h2>
                <p class="text-ink-2">
                    "It starts "{plan}" no more, and its firings go with it. The tasks it started stay with their consoles."{hook}
                    " To stop it for a while, switch it off instead."
                </p>
                <div class="flex flex-wrap gap-2">
                    <IfMay action=Action::Write>
                        <ActionForm action=remove>
                            <input type="hidden" name="trigger" value=id.0/>
                            <button class=ButtonKind::Danger.class() type="submit">"Remove it"</button>
                        </ActionForm>
                    </IfMay>
                    <LinkButton href=format!("/triggers/{id}") kind=ButtonKind::Ghost>
                        "Keep it"
                    </LinkButton>
                </div>
            </section>
        </Page>
    }
}
