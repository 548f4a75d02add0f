//! One repository: where it is, how it is, what opens it, what has to do with it, what its forge was told.
//!
//! **Invariant:** what is wrong stands above everything else; what opens it is named, never shown.

use super::api::{LIST, TestRepository, get_repository};
use super::looks::{forge, health_line, unwell};
use super::statuses::Statuses;
use super::users::Users;
use super::view::RepositoryPage;
use super::{repository_of, tested};
use crate::components::{
    Ago, ButtonKind, CopyLine, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Note, Page, Sign, Time,
};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use domain::trigger::Provider;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The page of a repository.
#[component]
pub fn RepositoryShow() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = memo(move |_| params.with(repository_of));
    let number = memo(move |_| query.with(|q| q.get("tested").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)));
    let test = Deed::<TestRepository>::new();
    provide_context(test);
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || (id.get(), number.get(), fresh.get(), test.version().get()),
        |(id, number, ..)| async move { get_repository(id?, number).await },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<RepositoryPage>) -> impl IntoView {
    let test = expect_context::<Deed<TestRepository>>();
    let id = data.with_untracked(|d| d.repository.id);
    let name = Signal::derive(move || data.with(|d| d.repository.name.clone()));
    let health = memo(move |_| data.with(|d| d.repository.health));
    let sign = Signal::derive(move || {
        if unwell(health.get()) {
            Sign::Failed
        } else {
            Sign::Plain
        }
    });
    let title = Signal::derive(move || match unwell(health.get()) {
        true => format!("{} · {}", name.get(), health.get().as_str()),
        false => name.get(),
    });
    let acts = view! {
        <IfMay action=Action::Write>
            <LinkButton href=format!("{LIST}/{id}/remove") kind=ButtonKind::Ghost icon="trash-2">
                "Remove"
            </LinkButton>
            <LinkButton href=format!("{LIST}/{id}/edit") kind=ButtonKind::Line icon="pencil">
                "Edit"
            </LinkButton>
            {tested::button(id, test)}
        </IfMay>
    };
    let wrong = memo(move |_| {
        data.with(|d| {
            let r = &d.repository;
            r.said.clone().filter(|_| unwell(r.health) && d.tested.is_none())
        })
    });
    // What git said just now says the same, and more.
    let found = move || match test.answer() {
        Some(answer) => answer.ok(),
        None => data.with(|d| d.tested.clone()),
    };
    let note = move || match found() {
        Some(found) => Some(tested::said(found)),
        None => wrong.get().map(|said| {
            view! {
                <Note icon="triangle-alert" tone="st-failed">
                    <span class="wrap-anywhere">{said}</span>
                </Note>
            }
            .into_any()
        }),
    };
    let users = memo(move |_| data.with(|d| d.users.clone()));
    let sent = memo(move |_| {
        data.with(|d| {
            let able = d.repository.provider != Provider::Generic && d.repository.secret_id.is_some();
            (d.statuses.clone(), able)
        })
    });
    view! {
        <Favicon sign/>
        <Page title heading=name crumbs=vec![Crumb::new("Repositories", LIST)] acts=acts.into_any()>
            {move || test.error().map(|error| view! { <ErrorNote error/> })}
            {note}
            <Facts data/>
            {move || view! { <Users users=users.get()/> }}
            {move || {
                let (sent, able) = sent.get();
                view! { <Statuses sent able/> }
            }}
        </Page>
    }
    .into_any()
}

#[component]
fn Facts(data: Signal<RepositoryPage>) -> impl IntoView {
    let facts = memo(move |_| data.with(|d| (d.repository.clone(), d.secret.clone(), d.now)));
    let url = memo(move |_| data.with(|d| d.repository.url.clone()));
    let facts = move || {
        let (r, secret, now) = facts.get();
        let asked = match r.asked_at {
            Some(at) => view! { <Ago at now/> }.into_any(),
            None => "never".into_any(),
        };
        let opened = match secret {
            Some((id, name)) => view! {
                "the secret "
                <a class="alink mono wrap-anywhere" href=format!("/admin/secrets/{id}")>{name}</a>
            }
            .into_any(),
            None => "nothing: it is asked as anybody is".into_any(),
        };
        let api = r.api.clone().map(|api| {
            view! {
                <dt>"Its API"</dt>
                <dd class="mono">{api}</dd>
            }
        });
        view! {
            <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-md:grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-1.5 mt-4">
                <dl class="kv content-start">
                    <dt>"Health"</dt>
                    <dd>{health_line(&r, now)}</dd>
                    <dt>"Last asked"</dt>
                    <dd>{asked}</dd>
                    <dt>"Opened with"</dt>
                    <dd>{opened}</dd>
                </dl>
                <dl class="kv content-start">
                    <dt>"Forge"</dt>
                    <dd>{forge(r.provider)}</dd>
                    {api}
                    <dt>"Made"</dt>
                    <dd>
                        <Time at=r.created_at/>
                    </dd>
                </dl>
            </div>
        }
    };
    view! {
        <div class="mt-4">
            {move || view! { <CopyLine text=url.get() label="Copy the URL"/> }}
        </div>
        {facts}
    }
}
