//! The editor's pages: a new plan, and one that is there.
//!
//! **Invariant:** what was typed survives every refusal; a save over someone else's goes through only after the page has
//! said so.

use super::api::{CreatePlan, SavePlan, get_edit, get_new};
use super::editor::Editor;
use super::plan_of;
use super::view::EditView;
use crate::components::ActionForm;
use crate::components::{ButtonKind, Crumb, ErrorNote, Favicon, Field, Icon, LinkButton, Loaded, Note, Page, Sign};
use crate::error::{Error, answer_with};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::PlanId;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The number of a refused draft in the address.
fn draft_number() -> Memo<u64> {
    let query = use_query_map();
    memo(move |_| query.with(|q| q.get("draft").and_then(|d| d.parse().ok()).unwrap_or(0)))
}

/// The page of a new plan.
#[component]
pub fn PlanNew() -> impl IntoView {
    let draft = draft_number();
    let page = Source::new(move || draft.get(), get_new);
    let create = Deed::<CreatePlan>::new();
    provide_context(create);
    view! { <Loaded of=page body=|data| view! { <New data/> }.into_any()/> }
}

#[component]
fn New(data: Signal<EditView>) -> impl IntoView {
    let create = expect_context::<Deed<CreatePlan>>();
    let first = data.get_untracked();
    let refused = last_refusal(first.refused.clone(), Signal::derive(move || create.answer()));
    let pending = create.pending();
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title="New plan"
            heading="New plan"
            crumbs=vec![Crumb::new("Plans", "/plans")]
            lead=Signal::derive(|| "What to run, and from which repository.".to_owned())
        >
            <Refusal refused/>
            <ActionForm action=create>
                <Editor text=first.draft.document refused/>
                <div class="savebar">
                    <div class="flex-1 min-w-52 max-w-120">
                        <Line name="description" label="Description" value=first.draft.description placeholder="One line about it"/>
                    </div>
                    <span class="ms-auto flex gap-2">
                        <LinkButton href="/plans" kind=ButtonKind::Ghost>
                            "Leave"
                        </LinkButton>
                        <button class=ButtonKind::Primary.class() type="submit" aria-busy=move || pending.get().to_string()>
                            <Icon name="check"/>
                            "Save the plan"
                        </button>
                    </span>
                </div>
            </ActionForm>
        </Page>
    }
}

/// The page that edits a plan.
#[component]
pub fn PlanEdit() -> impl IntoView {
    let params = use_params_map();
    let id = memo(move |_| params.with(plan_of));
    let draft = draft_number();
    let page = Source::new(
        move || (id.get(), draft.get()),
        |(id, draft)| async move { get_edit(id?, draft).await },
    );
    let save = Deed::<SavePlan>::new();
    provide_context((id, save));
    view! { <Loaded of=page body=|data| view! { <Edit data/> }.into_any()/> }
}

#[component]
fn Edit(data: Signal<EditView>) -> impl IntoView {
    let (id, save) = expect_context::<(Memo<crate::error::Result<PlanId>>, Deed<SavePlan>)>();
    let id = id.get_untracked().unwrap_or(PlanId(0));
    let first = data.get_untracked();
    let refused = last_refusal(first.refused.clone(), Signal::derive(move || save.answer()));
    // After a refusal because of someone else's save, the next one goes over what stands there now.
    let version = RwSignal::new(first.draft.version);
    let revision = RwSignal::new(first.revision);
    let stale = RwSignal::new(first.stale);
    let present = Action::new(move |(): &()| get_edit(id, 0));
    Effect::new(move || match save.answer() {
        Some(Err(e)) if e.status() == 409 => {
            present.dispatch(());
        }
        Some(_) => stale.set(false),
        None => {}
    });
    Effect::new(move || {
        if let Some(Ok(now)) = present.value().get() {
            // A name in use is refused with the same code, and has nothing to do with versions.
            stale.set(now.draft.version != version.get_untracked());
            version.set(now.draft.version);
            revision.set(now.revision);
        }
    });
    let name = first.name.clone();
    let pending = save.pending();
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title=format!("Edit {name}")
            heading="Edit"
            crumbs=vec![Crumb::new("Plans", "/plans"), Crumb::new(name, format!("/plans/{id}"))]
            lead=Signal::derive(move || format!("on top of revision {}", revision.get()))
        >
            <Refusal refused>
                <Show when=move || stale.get()>
                    <Note icon="lightbulb">
                        <span>
                            "Your text stands below as you wrote it. "
                            <a class="alink" href=format!("/plans/{id}#document") target="_blank">
                                "Look at revision "
                                {move || revision.get()}
                            </a> ", put in what is missing, and save again: that goes on top of it."
                        </span>
                    </Note>
                </Show>
            </Refusal>
            <ActionForm action=save>
                <input type="hidden" name="plan" value=id.0/>
                <input type="hidden" name="version" value=move || version.get() prop:value=move || version.get().to_string()/>
                <div class="flex flex-wrap items-end gap-x-6 gap-y-3 mb-4">
                    <div class="flex-1 min-w-52 max-w-120">
                        <Field name="description" label="Description" value=first.draft.description/>
                    </div>
                    <label class="inl gap-2! text-table min-h-9">
                        <input type="checkbox" class="checkbox" name="enabled" value="true" checked=first.draft.enabled/>
                        "Switched on: it may run"
                    </label>
                </div>
                <Editor text=first.draft.document refused/>
                <div class="savebar">
                    <div class="flex-1 min-w-52 max-w-120">
                        <Line name="message" label="What changed and why" value=first.draft.message placeholder="What changed and why"/>
                    </div>
                    <span class="ms-auto flex gap-2">
                        <LinkButton href=format!("/plans/{id}") kind=ButtonKind::Ghost>
                            "Leave"
                        </LinkButton>
                        <button class=ButtonKind::Primary.class() type="submit" aria-busy=move || pending.get().to_string()>
                            <Icon name="check"/>
                            "Save revision "{move || revision.get() + 1}
                        </button>
                    </span>
                </div>
            </ActionForm>
        </Page>
    }
}

/// Why the last try was refused: that of this page if there was one, else the one the page came back with, whose status
/// code is then also the page's.
fn last_refusal(came_with: Option<Error>, tried: Signal<Option<Result<(), Error>>>) -> Signal<Option<Error>> {
    if let Some(e) = &came_with {
        answer_with(e.status());
    }
    Signal::derive(move || match tried.get() {
        Some(answer) => answer.err(),
        None => came_with.clone(),
    })
}

/// What was refused as a whole, with what to do; what is wrong in single places is told by the editor.
#[component]
fn Refusal(refused: Signal<Option<Error>>, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    let whole = move || {
        refused
            .get()
            .filter(|e| e.problems().is_empty())
            .map(|error| view! { <ErrorNote error/> })
    };
    view! { <div class="grid gap-2 has-[.note]:mb-4">{whole} {children.map(|c| c())}</div> }
}

/// A field of one line whose label is only heard.
#[component]
fn Line(name: &'static str, label: &'static str, value: String, placeholder: &'static str) -> impl IntoView {
    view! {
        <input
            class="input input-sm w-full"
            name=name
            aria-label=label
            value=value
            placeholder=placeholder
            maxlength="500"
            autocomplete="off"
        />
    }
}
