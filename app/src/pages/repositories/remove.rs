//! The page that asks before a repository is removed.
//!
//! **Invariant:** nothing is removed by a link; what keeps it from being removed is named before one tries.

use super::api::{LIST, RemoveRepository, get_repository};
use super::repository_of;
use super::users::address;
use super::view::RepositoryPage;
use crate::components::{ActionForm, ButtonKind, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Page, Sign};
use crate::layout::IfMay;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn RepositoryRemove() -> impl IntoView {
    let params = use_params_map();
    let page = Source::new(
        move || params.with(repository_of),
        |id| async move { get_repository(id?, 0).await },
    );
    provide_context(Deed::<RemoveRepository>::new());
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<RepositoryPage>) -> impl IntoView {
    let remove = expect_context::<Deed<RemoveRepository>>();
    let (id, name) = data.with_untracked(|d| (d.repository.id, d.repository.name.clone()));
    let named: Vec<_> = data
        .get_untracked()
        .users
        .into_iter()
        .filter(|u| u.named)
        .map(|u| {
            view! {
                <li>
                    {u.kind.as_str()}
                    " "
                    <a class="alink" href=address(&u)>{u.name.clone()}</a>
                </li>
            }
        })
        .collect();
    let in_use = !named.is_empty();
    let sentence = match in_use {
        true => view! {
            <p class="text-ink-2">"It is in use. Give these another repository, or remove them, first:"</p>
            <ul class="grid gap-1.5 list-disc ps-5 text-table">{named}</ul>
        }
        .into_any(),
        false => view! {
            <p class="text-ink-2">
                "It is not asked any more, its forge is told nothing more, and files of plans whose source it is are read without its secret. The secret itself stays."
            </p>
        }
        .into_any(),
    };
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title=format!("Remove {name}")
            heading="Remove"
            crumbs=vec![Crumb::new("Repositories", LIST), Crumb::new(name.clone(), format!("{LIST}/{id}"))]
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
                                        <input type="hidden" name="repository" value=id.0/>
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
