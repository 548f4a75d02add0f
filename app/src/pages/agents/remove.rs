//! The page that asks before an agent is removed.
//!
//! **Invariant:** nothing is removed by a link; what would be lost is said before.

use super::agent_of;
use super::api::{AgentPage, RemoveAgent, get_agent};
use crate::components::{ActionForm, ButtonKind, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Page, Sign};
use crate::layout::IfMay;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn AgentRemove() -> impl IntoView {
    let params = use_params_map();
    let page = Source::new(move || params.with(agent_of), |id| async move { get_agent(id?).await });
    let remove = Deed::<RemoveAgent>::new();
    provide_context(remove);
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<AgentPage>) -> impl IntoView {
    let remove = expect_context::<Deed<RemoveAgent>>();
    let (id, name, running) = data.with_untracked(|d| (d.agent.id, d.agent.name.clone(), d.agent.running.len()));
    let lost = match running {
        0 => None,
        1 => Some("It runs a job, which is lost then. Drain it first to let it end.".to_owned()),
        n => Some(format!(
            "It runs {n} jobs, which are lost then. Drain it first to let them end."
        )),
    };
    let failed = move || remove.error().map(|error| view! { <ErrorNote error/> });
    let heading = name.clone();
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title=format!("Remove {name}")
            heading="Remove"
            crumbs=vec![Crumb::new("Agents", "/agents"), Crumb::new(name.clone(), format!("/agents/{id}"))]
        >
            {failed}
            <section class="panel p-6 grid gap-4 max-w-[560px]">
                <h2 class="text-title! leading-7!">"Remove "{heading}"?"</h2>
                <p class="text-ink-2">
                    "The agent goes from the list, its connection ends and its credential is void. It can come back with a new token, as a new agent. What it ran stays with its console."
                </p>
                {lost
                    .as_ref()
                    .map(|lost| view! { <p class="text-lost">{lost.clone()}</p> })}
                <div class="flex flex-wrap gap-2">
                    <IfMay action=Action::Administer>
                        <ActionForm action=remove>
                            <input type="hidden" name="agent" value=id.0/>
                            <input type="hidden" name="force" value=(running > 0).to_string()/>
                            <button class=ButtonKind::Danger.class() type="submit">
                                {if running > 0 { "Remove it and lose what runs" } else { "Remove it" }}
                            </button>
                        </ActionForm>
                    </IfMay>
                    <LinkButton href=format!("/agents/{id}") kind=ButtonKind::Ghost>
                        "Keep it"
                    </LinkButton>
                </div>
            </section>
        </Page>
    }
}
