//! One plan: how it did, what it says, who changed it.
//!
//! **Invariant:** page and revision stand in the address; rows keep their place while news come in.

use super::api::{RunPlan, get_plan};
use super::badge::BadgeOfPlan;
use super::figures::{failing, lead, repository};
use super::plan_of;
use super::revisions::Revisions;
use super::run::Run;
use super::tasks::Tasks;
use super::view::PlanPage;
use crate::components::{ButtonKind, Crumb, ErrorNote, Favicon, Icon, LinkButton, Loaded, Note, Page, Sign};
use crate::layout::IfMay;
use crate::live::{Topic, use_live_when};
use crate::memo::memo;
use crate::pages::triggers::TriggersOfPlan;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The page of a plan.
#[component]
pub fn PlanShow() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let id = memo(move |_| params.with(plan_of));
    let cursor = memo(move |_| query.with(|q| q.get("cursor").unwrap_or_default()));
    let revision = memo(move |_| query.with(|q| q.get("revision").and_then(|r| r.parse::<i64>().ok()).unwrap_or(0)));
    let run = Deed::<RunPlan>::new();
    provide_context(run);
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || (id.get(), revision.get(), cursor.get(), fresh.get()),
        |(id, revision, cursor, _)| async move { get_plan(id?, revision, cursor).await },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let topic = Signal::derive(move || id.get().ok().map(Topic::Plan));
    let news = use_live_when(topic, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=move |data| view! { <Body data cursor/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<PlanPage>, cursor: Memo<String>) -> impl IntoView {
    let run = expect_context::<Deed<RunPlan>>();
    let plan = memo(move |_| data.with(|d| d.plan.clone()));
    let name = Signal::derive(move || plan.with(|p| p.name.clone()));
    let sign = Signal::derive(move || {
        plan.with(|p| match p.recent.first() {
            Some(t) if !t.status.ended() => Sign::from(t.status),
            _ if failing(p) => Sign::Failed,
            Some(t) => Sign::from(t.status),
            None => Sign::Plain,
        })
    });
    let id = plan.with_untracked(|p| p.id);
    let acts = view! {
        <IfMay action=Action::Write>
            <LinkButton href=format!("/plans/{id}/delete") kind=ButtonKind::Ghost icon="trash-2">
                "Delete"
            </LinkButton>
            <LinkButton href=format!("/plans/{id}/edit") kind=ButtonKind::Line icon="pencil">
                "Edit"
            </LinkButton>
        </IfMay>
        <IfMay action=Action::Run>
            {move || {
                plan.with(|p| {
                    let branch = p.source.as_ref().map(|s| s.branch.clone().unwrap_or_default());
                    p.enabled.then(|| view! { <Run plan=p.id branch run/> })
                })
            }}
        </IfMay>
    };
    let failed = move || run.error().map(|error| view! { <ErrorNote error/> });
    view! {
        <Favicon sign/>
        <Page
            title=name
            heading=name
            crumbs=vec![Crumb::new("Plans", "/plans")]
            lead=Signal::derive(move || plan.with(lead))
            acts=acts.into_any()
        >
            {failed}
            {move || {
                plan.with(|p| !p.enabled)
                    .then(|| {
                        view! {
                            <Note icon="circle-pause" tone="st-lost">
                                <span>"This plan is switched off: it takes no new tasks. Edit it to switch it on."</span>
                            </Note>
                        }
                    })
            }}
            {move || plan.with(|p| (!p.description.is_empty()).then(|| view! { <p class="text-ink-2">{p.description.clone()}</p> }))}
            <Facts plan/>
            <TriggersOfPlan plan=id/>
            <Tasks data cursor/>
            <Revisions data/>
            <BadgeOfPlan plan=id name/>
        </Page>
    }
}

/// Source and jobs in one line.
#[component]
fn Facts(plan: Memo<domain::plan::view::PlanSummary>) -> impl IntoView {
    move || {
        plan.with(|p| {
            let source = match &p.source {
                Some(s) => {
                    let branch = s.branch.clone().unwrap_or_else(|| "its default branch".into());
                    view! {
                        <span class="inl">
                            <Icon name="folder-git-2"/>
                            <span class="trunc" title=s.git.clone()>{repository(&s.git)}</span>
                        </span>
                        <span class="inl">
                            <Icon name="git-branch"/>
                            <span>{branch}</span>
                        </span>
                    }
                    .into_any()
                }
                None => view! {
                    <span class="inl">
                        <Icon name="circle-slash"/>
                        <span>"no source"</span>
                    </span>
                }
                .into_any(),
            };
            view! {
                <p class="t2 text-table! gap-x-4!">
                    {source}
                    {match &p.file {
                        Some(file) => view! {
                            <span class="inl">
                                <Icon name="file-code"/>
                                <span>"jobs in " <code class="mono">{file.clone()}</code> ", at the revision that runs"</span>
                            </span>
                        }
                        .into_any(),
                        None => view! {
                            <span class="inl">
                                <Icon name="workflow"/>
                                <span>{p.jobs.join(", ")}</span>
                            </span>
                        }
                        .into_any(),
                    }}
                </p>
            }
        })
    }
}
