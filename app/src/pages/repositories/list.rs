//! The list of repositories: where each is, how it is since when, and what has to do with it.
//!
//! **Invariant:** why one is not well stands in its row; who may only read sees the list without acts.

use super::api::{LIST, list_repositories};
use super::looks::{forge, health_line, unwell};
use super::users::counted;
use super::view::{RepositoriesView, RepositoryRow};
use crate::components::{Ago, Blank, ButtonKind, Favicon, LinkButton, Loaded, Page, Rows, Sign};
use crate::layout::{AdminTabs, IfMay};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::Source;
use domain::Timestamp;
use domain::auth::Action;
use leptos::prelude::*;

/// The page of repositories.
#[component]
pub fn RepositoryList() -> impl IntoView {
    let fresh = RwSignal::new(0_u64);
    let all = Source::new(move || fresh.get(), |_| list_repositories());
    let seq = Signal::derive(move || all.get().and_then(Result::ok).map(|a| a.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=all body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<RepositoriesView>) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.rows.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let none = memo(move |_| items.with(Vec::is_empty));
    let bad = memo(move |_| items.with(|all| all.iter().filter(|r| unwell(r.repository.health)).count()));
    let lead = Signal::derive(move || {
        let all = match items.with(Vec::len) {
            0 => return String::new(),
            1 => "1 repository".to_owned(),
            n => format!("{n} repositories"),
        };
        match bad.get() {
            0 => all,
            n => format!("{all}, {n} not well"),
        }
    });
    let sign = Signal::derive(move || if bad.get() > 0 { Sign::Failed } else { Sign::Plain });
    let new = view! {
        <IfMay action=Action::Write>
            {move || {
                (!none.get())
                    .then(|| {
                        view! {
                            <LinkButton href=format!("{LIST}/new") kind=ButtonKind::Primary icon="plus">
                                "New repository"
                            </LinkButton>
                        }
                    })
            }}
        </IfMay>
    };
    view! {
        <Favicon sign/>
        <Page title="Repositories" heading="Repositories" lead=lead acts=new.into_any()>
            <AdminTabs/>
            <Show when=move || !none.get() fallback=empty>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Repository"</th>
                            <th scope="col">"Forge"</th>
                            <th scope="col">"Health"</th>
                            <th scope="col">"Asked"</th>
                            <th scope="col">"For"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|r: &RepositoryRow| r.repository.id.0 row=move |r| row(r, now.get_untracked())/>
                    </tbody>
                </table>
            </Show>
        </Page>
    }
    .into_any()
}

fn empty() -> impl IntoView {
    view! {
        <Blank
            title="No repositories yet"
            sentence="A repository is a source with what opens it: triggers look at it, its health is known, and its forge is told how commits fare. A plan can name a public source without one."
        >
            <IfMay action=Action::Write>
                <LinkButton href=format!("{LIST}/new") kind=ButtonKind::Primary icon="plus">
                    "Add the first repository"
                </LinkButton>
            </IfMay>
        </Blank>
    }
}

fn row(row: RepositoryRow, now: Timestamp) -> AnyView {
    let r = row.repository;
    let why = r
        .said
        .clone()
        .filter(|_| unwell(r.health))
        .map(|said| view! { <span class="block text-small text-ink-2 wrap-anywhere">{said}</span> });
    let asked = match r.asked_at {
        Some(at) => view! { <Ago at now/> }.into_any(),
        None => "never".into_any(),
    };
    let users = match counted(&row.users) {
        none if none.is_empty() => view! { <span class="text-ink-3">"nothing yet"</span> }.into_any(),
        some => some.into_any(),
    };
    view! {
        <tr role="row">
            <td role="cell" class="c-main max-[899px]:col-span-2 min-w-0 min-[900px]:w-[32%] min-[900px]:max-w-0">
                <span class="t1">
                    <a class="trunc" href=format!("{LIST}/{}", r.id) title=r.name.clone()>{r.name.clone()}</a>
                </span>
                <span class="t2">
                    <span class="trunc mono" title=r.url.clone()>{r.url.clone()}</span>
                </span>
            </td>
            <td role="cell" class="c-cell text-ink-2" data-label="forge">{forge(r.provider)}</td>
            <td role="cell" class="c-wide min-w-0 min-[900px]:w-[28%]" data-label="health">
                {health_line(&r, now)} {why}
            </td>
            <td role="cell" class="c-cell text-ink-2" data-label="asked">{asked}</td>
            <td role="cell" class="c-wide text-ink-2" data-label="for">{users}</td>
        </tr>
    }
    .into_any()
}
