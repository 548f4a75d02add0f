//! The form of a trigger: one form for all kinds, in which the chosen kind shows.
//!
//! **Invariant:** without a script it is a plain form; what was typed survives every refusal, but for a secret.

mod api;
mod cron;
mod draft;
mod fields;
mod others;
mod rules;
mod tried;
mod webhook;
mod week;

pub(super) use fields::rule_of;
pub(super) use rules::{lines, place};

pub use api::{CheckRules, GetTriggerEdit, GetTriggerNew, PreviewCron, SaveTrigger, TryRules};

use crate::components::{ActionForm, ButtonKind, Crumb, ErrorNote, Favicon, Icon, LinkButton, Loaded, Page, Sign};
use crate::editor::Editor;
use crate::error::{Error, answer_with};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use api::{EditView, get_trigger_edit, get_trigger_new};
use domain::TriggerId;
use domain::trigger::Kind;
use draft::Draft;
use fields::{Choice, ChosenHook, Text, Wrong};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The kinds as the form names them: word, name, icon.
const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Poll, "Poll", "git-branch"),
    (Kind::Cron, "Cron", "timer"),
    (Kind::Webhook, "Webhook", "webhook"),
    (Kind::Upstream, "Upstream", "cable"),
];

/// A number or word of the address.
fn asked(name: &'static str) -> Memo<String> {
    let query = use_query_map();
    memo(move |_| query.with(|q| q.get(name).unwrap_or_default()))
}

/// The page of a new trigger.
#[component]
pub fn TriggerNew() -> impl IntoView {
    let (plan, from, kind, draft) = (asked("plan"), asked("from"), asked("kind"), asked("draft"));
    let page = Source::new(
        move || (plan.get(), from.get(), kind.get(), draft.get()),
        |(plan, from, kind, draft)| get_trigger_new(plan, from.parse().unwrap_or(0), kind, draft.parse().unwrap_or(0)),
    );
    provide_context(Deed::<SaveTrigger>::new());
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

/// The page that edits a trigger.
#[component]
pub fn TriggerEdit() -> impl IntoView {
    let params = use_params_map();
    let id = memo(move |_| {
        let id = params.with(|p| p.get("id").unwrap_or_default());
        let none = || Error::Domain(domain::Error::NotFound(format!("Trigger {id}")));
        id.parse::<TriggerId>().map_err(|_| none())
    });
    let (draft, made) = (asked("draft"), asked("made"));
    // Deliveries come while one looks at the form; the form itself stays as it was typed.
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || (id.get(), draft.get(), made.get(), fresh.get()),
        |(id, draft, made, _)| async move {
            get_trigger_edit(id?, draft.parse().unwrap_or(0), made.parse().unwrap_or(0)).await
        },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    provide_context(Deed::<SaveTrigger>::new());
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<EditView>) -> impl IntoView {
    let save = expect_context::<Deed<SaveTrigger>>();
    let first = data.get_untracked();
    if let Some(e) = &first.refused {
        answer_with(e.status());
    }
    let came_with = first.refused.clone();
    let refused = Signal::derive(move || match save.answer() {
        Some(answer) => answer.err(),
        None => came_with.clone(),
    });
    provide_context(Wrong(refused));
    let whole = move || {
        let error = refused.get()?;
        let shown = !error.problems().is_empty() && error.problems().iter().all(|p| fields::has_own(&p.path));
        (!shown).then(|| view! { <ErrorNote error/> })
    };
    let id = first.id;
    let version = memo(move |_| data.with(|d| d.draft.version));
    let pending = save.pending();
    let d = first.draft.clone();
    let plans: Vec<(String, String)> = first
        .plans
        .iter()
        .map(|(id, name)| (id.to_string(), name.clone()))
        .collect();
    let back = id.map_or_else(|| "/triggers".to_owned(), |id| format!("/triggers/{id}"));
    let mut crumbs = vec![Crumb::new("Triggers", "/triggers")];
    if id.is_some() {
        crumbs.push(Crumb::new(first.name.clone(), back.clone()));
    }
    let repositories: Vec<(String, String)> = first
        .repositories
        .iter()
        .map(|(id, name)| (id.to_string(), name.clone()))
        .collect();
    let kind = d.kind();
    let written = RwSignal::new(d.rules.clone());
    let editor = Editor::load();
    provide_context(ChosenHook(RwSignal::new(d.hook.clone())));
    let checked = rules::checked(data, written, editor);
    let (title, heading) = match id {
        Some(_) => (format!("Edit {}", first.name), "Edit"),
        None => ("New trigger".to_owned(), "New trigger"),
    };
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title heading crumbs>
            <div class="grid gap-2 has-[.note]:mb-4">{whole}</div>
            <ActionForm action=save attr:class="kinds">
                <input type="hidden" name="trigger" value=id.map_or(0, |id| id.0)/>
                <input
                    type="hidden"
                    name="draft[version]"
                    value=move || version.get()
                    prop:value=move || version.get().to_string()
                />
                <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-lg:grid-cols-[minmax(0,1fr)] gap-x-12 gap-y-6">
                    <div class="grid gap-6 content-start">
                        <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4">
                            <Text name="name" label="Name" value=d.name.clone() required=true/>
                            <Choice name="plan" label="Plan it starts" value=d.plan.clone() options=plans.clone()/>
                        </div>
                        <div class="flex flex-wrap items-end gap-x-8 gap-y-3">
                            <Kinds kind fixed=id.is_some() written/>
                            <label class="inl gap-2! text-table min-h-8">
                                <input
                                    type="checkbox"
                                    class="toggle toggle-sm"
                                    name="draft[enabled]"
                                    value="true"
                                    checked=d.enabled == "true"
                                />
                                "On"
                            </label>
                        </div>
                        <cron::Fields first=first.clone() editor/>
                        <webhook::Fields data/>
                        <others::Poll draft=d.clone() repositories=repositories/>
                        <others::Upstream draft=d.clone() plans/>
                        <rules::Fields written checked/>
                        <others::Sets draft=d.clone()/>
                    </div>
                    <aside class="grid gap-6 content-start min-w-0">
                        <tried::Beside data written editor/>
                        <cron::Beside/>
                    </aside>
                </div>
                <div class="savebar">
                    <span class="ms-auto flex gap-2">
                        <LinkButton href=back kind=ButtonKind::Ghost>
                            "Leave"
                        </LinkButton>
                        <button class=ButtonKind::Primary.class() type="submit" aria-busy=move || pending.get().to_string()>
                            <Icon name="check"/>
                            "Save trigger"
                        </button>
                    </span>
                </div>
            </ActionForm>
        </Page>
    }
    .into_any()
}

/// Rules that nobody has touched become those that the other kind begins with: a cron's event is never a push.
fn follow(kind: Kind, written: RwSignal<String>) {
    let begins = |kind| Draft::fresh(kind).rules;
    if Kind::ALL.into_iter().any(|k| begins(k) == written.get_untracked()) {
        written.set(begins(kind));
    }
}

/// The choice of a kind; fixed once it is saved.
#[component]
fn Kinds(kind: Kind, fixed: bool, written: RwSignal<String>) -> impl IntoView {
    let one = |(this, name, icon): (Kind, &'static str, &'static str)| {
        let word = this.as_str();
        (!fixed || this == kind).then(|| {
            view! {
                <label>
                    <input
                        type="radio"
                        id=format!("k-{word}")
                        name="draft[kind]"
                        value=word
                        checked=this == kind
                        on:change=move |_| follow(this, written)
                    />
                    <Icon name=icon/>
                    {name}
                </label>
            }
        })
    };
    view! {
        <fieldset class="field min-w-0">
            <legend class="lab text-small font-[560] text-ink-2 mb-1">"Kind"</legend>
            <div class="seg w-max">{KINDS.map(one).into_iter().collect::<Vec<_>>()}</div>
        </fieldset>
    }
}
