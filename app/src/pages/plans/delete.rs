//! The page that asks before a plan is taken away.
//!
//! **Invariant:** nothing is taken away by a link; the button says which plan.

use super::api::{DeletePlan, get_plan};
use super::plan_of;
use super::view::PlanPage;
use crate::components::ActionForm;
use crate::components::{ButtonKind, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Page, Sign};
use crate::wire::{Deed, Source};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn PlanDelete() -> impl IntoView {
    let params = use_params_map();
    let page = Source::new(
        move || params.with(plan_of),
        |id| async move { get_plan(id?, 0, String::new()).await },
    );
    let delete = Deed::<DeletePlan>::new();
    provide_context(delete);
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<PlanPage>) -> impl IntoView {
    let delete = expect_context::<Deed<DeletePlan>>();
    let (id, name, open) = data.with_untracked(|d| {
        let open = d.plan.recent.iter().filter(|t| !t.status.ended()).count();
        (d.plan.id, d.plan.name.clone(), open)
    });
    let going_on = match open {
        0 => String::new(),
        1 => "One task of it is under way and goes on to its end.".into(),
        n => format!("{n} tasks of it are under way and go on to their end."),
    };
    let failed = move || delete.error().map(|error| view! { <ErrorNote error/> });
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title=format!("Delete {name}")
            heading="Delete"
            crumbs=vec![Crumb::new("Plans", "/plans"), Crumb::new(name.clone(), format!("/plans/{id}"))]
        >
            {failed}
            <section class="panel p-6 grid gap-4 max-w-[560px]">
                <h2 class="text-title! leading-7!">"Delete "{name.clone()}"?"</h2>
                <p class="text-ink-2">
                    "The plan goes from the list and its name is free again. Its tasks stay with their consoles, and can be run again from their own snapshots. "
                    {going_on}
                </p>
                <div class="flex flex-wrap gap-2">
                    <ActionForm action=delete>
                        <input type="hidden" name="plan" value=id.0/>
                        <button class=ButtonKind::Danger.class() type="submit">"Delete "{name.clone()}</button>
                    </ActionForm>
                    <LinkButton href=format!("/plans/{id}") kind=ButtonKind::Ghost>
                        "Keep it"
                    </LinkButton>
                </div>
            </section>
        </Page>
    }
}
