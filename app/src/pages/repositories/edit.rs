//! The pages that make a repository and edit one.
//!
//! **Invariant:** what was typed survives every refusal, but for what opens it; a save over someone else's goes through only
//! after the page has said so.

use super::api::{LIST, SaveRepository, get_edit_repository, get_new_repository};
use super::form::{Fields, OWN};
use super::repository_of;
use super::view::RepositoryForm;
use crate::components::{
    ActionForm, ButtonKind, Crumb, Favicon, FormError, Icon, LinkButton, Loaded, Note, Page, Sign,
};
use crate::error::answer_with;
use crate::memo::memo;
use crate::wire::{Deed, Source};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The number of a refused draft in the address.
fn draft_number() -> Memo<u64> {
    let query = use_query_map();
    memo(move |_| query.with(|q| q.get("draft").and_then(|d| d.parse().ok()).unwrap_or(0)))
}

/// The page of a new repository.
#[component]
pub fn RepositoryNew() -> impl IntoView {
    let draft = draft_number();
    let form = Source::new(move || draft.get(), get_new_repository);
    provide_context(Deed::<SaveRepository>::new());
    view! { <Loaded of=form body=|data| view! { <Body data/> }.into_any()/> }
}

/// The page that edits a repository.
#[component]
pub fn RepositoryEdit() -> impl IntoView {
    let params = use_params_map();
    let draft = draft_number();
    let save = Deed::<SaveRepository>::new();
    provide_context(save);
    // After a refusal it is read again: the form then goes over what stands there now.
    let form = Source::new(
        move || (params.with(repository_of), draft.get(), save.version().get()),
        |(id, draft, _)| async move { get_edit_repository(id?, draft).await },
    );
    view! { <Loaded of=form body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<RepositoryForm>) -> impl IntoView {
    let save = expect_context::<Deed<SaveRepository>>();
    let first = data.get_untracked();
    if let Some(e) = &first.refused {
        answer_with(e.status());
    }
    let came_with = first.refused.clone();
    let refused = Signal::derive(move || match save.answer() {
        Some(answer) => answer.err(),
        None => came_with.clone(),
    });
    let id = first.id;
    let version = memo(move |_| data.with(|d| d.draft.version));
    // A name in use is refused with the same code, and has nothing to do with versions.
    let stale = move || {
        refused
            .get()
            .is_some_and(|e| e.status() == 409 && e.to_string().contains("meanwhile"))
    };
    let meanwhile = move || {
        (id.is_some() && stale()).then(|| {
            view! {
                <Note icon="lightbulb">
                    <span>"What you typed stands below. Save again, and it takes the place of what was saved meanwhile."</span>
                </Note>
            }
        })
    };
    let (title, heading, back) = match id {
        Some(id) => (format!("Edit {}", first.name), "Edit", format!("{LIST}/{id}")),
        None => ("New repository".to_owned(), "New repository", LIST.to_owned()),
    };
    let mut crumbs = vec![Crumb::new("Repositories", LIST)];
    if id.is_some() {
        crumbs.push(Crumb::new(first.name.clone(), back.clone()));
    }
    let words = if id.is_some() { "Save it" } else { "Add the repository" };
    let pending = save.pending();
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title heading crumbs>
            <ActionForm action=save attr:class="grid gap-4 max-w-[640px]" attr:autocomplete="off">
                <FormError error=refused fields=OWN/>
                {meanwhile}
                <input type="hidden" name="repository" value=id.map_or(0, |id| id.0)/>
                <input type="hidden" name="draft[version]" value=move || version.get() prop:value=move || version.get().to_string()/>
                <Fields form=first refused/>
                <div class="flex flex-wrap gap-2">
                    <button class=ButtonKind::Primary.class() type="submit" aria-busy=move || pending.get().to_string()>
                        <Icon name="check"/>
                        {words}
                    </button>
                    <LinkButton href=back kind=ButtonKind::Ghost>
                        "Cancel"
                    </LinkButton>
                </div>
            </ActionForm>
        </Page>
    }
    .into_any()
}
