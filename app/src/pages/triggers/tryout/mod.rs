//! Trying a trigger: rules and a payload, edited or pasted, and what would be decided about them while one writes.
//!
//! **Invariant:** what is said is what the server would decide: the editor's module judges by the same function; where it is
//! not there, or no script is, the server is asked.

mod answer;
mod api;
mod form;

use api::TryPayload;

use super::trigger_of;
use crate::components::{Crumb, Favicon, Loaded, Page, Sign};
use crate::editor::{Editor, State};
use crate::error::{Error, Result, answer_with};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use api::{TryDraft, TryPage, get_try};
use domain::trigger::{Config, Trial, Tried, TriggerView, TryOut};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The page.
#[component]
pub fn TriggerTry() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = memo(move |_| params.with(trigger_of));
    let of = move |name: &'static str| query.with(|q| q.get(name).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0));
    let page = Source::new(
        move || (id.get(), of("firing"), of("draft")),
        |(id, firing, draft)| async move { get_try(id?, i64::try_from(firing).unwrap_or(0), draft).await },
    );
    provide_context(Deed::<TryPayload>::new());
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

/// What is tried, but for the payload: the trigger with other rules.
fn wanted(trigger: &TriggerView, draft: &TryDraft) -> TryOut {
    TryOut {
        rules: super::edit::lines(&draft.rules),
        parameters: trigger.parameters.clone(),
        branch: trigger.branch.clone(),
        revision: trigger.revision.clone(),
        ignore_skip: matches!(&trigger.config, Config::Webhook(w) if w.ignore_skip),
        provider: draft.provider.parse().ok(),
        event: Some(draft.event.trim().to_owned()).filter(|e| !e.is_empty()),
        ..TryOut::default()
    }
}

#[component]
fn Body(data: Signal<TryPage>) -> impl IntoView {
    let first = data.get_untracked();
    if let Some(Err(e)) = &first.answer {
        answer_with(e.status());
    }
    let sent = expect_context::<Deed<TryPayload>>();
    let editor = Editor::load();
    let written = RwSignal::new(first.draft.clone());
    let said: RwSignal<Option<Result<Tried>>> = RwSignal::new(first.answer.clone());
    Effect::new(move || {
        let draft = written.get();
        if editor.state() != State::There || draft.payload.trim().is_empty() {
            return;
        }
        let trial = data.with_untracked(|d| Trial {
            what: wanted(&d.trigger, &draft),
            text: Some(draft.payload.clone()),
            source: d.source.clone(),
            known: d.known.clone(),
        });
        if let Some(answer) = editor.try_out(&trial) {
            said.set(Some(answer));
        }
    });
    Effect::new(move || {
        if let Some(answer) = sent.answer() {
            said.set(Some(answer));
        }
    });
    let (id, name) = (first.trigger.id, first.trigger.name.clone());
    let crumbs = vec![
        Crumb::new("Triggers", "/triggers"),
        Crumb::new(name.clone(), format!("/triggers/{id}")),
    ];
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title=format!("Try {name}") heading="Try" lead="Nothing is started or saved." crumbs>
            <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-lg:grid-cols-[minmax(0,1fr)] gap-x-12 gap-y-6">
                <form::Form data written editor/>
                <answer::Answer said written/>
            </div>
        </Page>
    }
    .into_any()
}

/// What is wrong, place by place.
fn problems(said: &Result<Tried>) -> Vec<domain::Problem> {
    said.as_ref().err().map(Error::problems).unwrap_or_default().to_vec()
}
