//! One hook: its address and what to do at the sender, who listens, what came, what was refused, its secret.
//!
//! **Invariant:** of a refused delivery only what was kept of it is shown: no byte of its body.

use super::api::{EndOldSecret, HookPage, LIST, RenameHook, RotateHook, get_hook};
use super::received::Received;
use super::secret::{Secret, shown_once};
use super::words::sender;
use super::{guide, hook_of};
use crate::components::{
    ActionForm, ButtonKind, CopyLine, Crumb, ErrorNote, Favicon, Field, FormError, Icon, IconSize, LinkButton, Loaded,
    Note, Page, Sign, SubmitButton, Time,
};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::pages::triggers::Refusals;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// What the page can do.
#[derive(Clone, Copy)]
struct Doing {
    rename: Deed<RenameHook>,
    rotate: Deed<RotateHook>,
    end: Deed<EndOldSecret>,
}

/// The page of a hook.
#[component]
pub fn HookShow() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = memo(move |_| params.with(hook_of));
    let made = memo(move |_| query.with(|q| q.get("made").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)));
    let doing = Doing {
        rename: Deed::new(),
        rotate: Deed::new(),
        end: Deed::new(),
    };
    provide_context(doing);
    provide_context(doing.rotate);
    provide_context(doing.end);
    let fresh = RwSignal::new(0_u64);
    let changed = move || doing.rename.version().get() + doing.rotate.version().get() + doing.end.version().get();
    let page = Source::new(
        move || (id.get(), made.get(), fresh.get(), changed()),
        |(id, made, ..)| async move { get_hook(id?, made).await },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<HookPage>) -> impl IntoView {
    let doing = expect_context::<Doing>();
    let id = data.with_untracked(|d| d.hook.id);
    let name = Signal::derive(move || data.with(|d| d.hook.name.clone()));
    // Kept from the view that had it: the next one has it no more.
    let made =
        memo(move |last: Option<&Option<String>>| data.with(|d| d.made.clone()).or_else(|| last.cloned().flatten()));
    let acts = view! {
        <IfMay action=Action::Write>
            <LinkButton href=format!("{LIST}/{id}/remove") kind=ButtonKind::Ghost icon="trash-2">
                "Remove"
            </LinkButton>
        </IfMay>
    };
    let received = memo(move |_| data.with(|d| (d.received.clone(), !d.hook.listeners.is_empty())));
    let refusals = memo(move |_| data.with(|d| d.hook.refusals.clone()));
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title=name heading=name crumbs=vec![Crumb::new("Hooks", LIST)] acts=acts.into_any()>
            {move || doing.end.error().map(|error| view! { <ErrorNote error/> })}
            {move || made.get().map(shown_once)}
            <Address data/>
            <Facts data/>
            {move || {
                let (all, heard) = received.get();
                view! { <Received all heard/> }
            }}
            {move || {
                let all = refusals.get();
                (!all.is_empty())
                    .then(|| {
                        view! {
                            <section class="sect" aria-label="Refused deliveries">
                                <Refusals all/>
                            </section>
                        }
                    })
            }}
            <Secret data/>
            <IfMay action=Action::Write>
                <Rename data/>
            </IfMay>
        </Page>
    }
    .into_any()
}

/// Where to deliver, and what to do there.
#[component]
fn Address(data: Signal<HookPage>) -> impl IntoView {
    let what = memo(move |_| data.with(|d| (d.hook.url.clone(), d.hook.provider, d.hook.signing.clone())));
    let first = memo(move |_| data.with(|d| d.hook.seen_at.is_none()));
    view! {
        <section aria-labelledby="address" class="mt-4 grid gap-3">
            <h2 id="address" class="text-table! font-[600]">"Address for deliveries"</h2>
            {move || {
                let (url, provider, signing) = what.get();
                view! {
                    <CopyLine text=url label="Copy the address"/>
                    <details open=first.get_untracked()>
                        <summary class="text-small text-ink-2 cursor-pointer inl gap-1!">
                            <Icon name="chevron-right" size=IconSize::Small class="twist"/>
                            "What to do at the sender"
                        </summary>
                        <div class="pt-2">{guide::steps(provider, &signing)}</div>
                    </details>
                }
            }}
            {move || {
                first
                    .get()
                    .then(|| {
                        view! {
                            <Note icon="hourglass">
                                <span>"It waits for its first delivery. That shows here when it comes."</span>
                            </Note>
                        }
                    })
            }}
        </section>
    }
}

#[component]
fn Facts(data: Signal<HookPage>) -> impl IntoView {
    let hook = memo(move |_| data.with(|d| d.hook.clone()));
    move || {
        let h = hook.get();
        let listeners: Vec<_> = h
            .listeners
            .iter()
            .map(|l| {
                view! {
                    <li>
                        <a class="alink" href=format!("/triggers/{}", l.id)>{l.name.clone()}</a>
                        <span class="text-ink-3">
                            ", starts " <a class="alink" href=format!("/plans/{}", l.plan_id)>{l.plan.clone()}</a>
                            {(!l.enabled).then_some(", off")}
                        </span>
                    </li>
                }
            })
            .collect();
        let listeners = match listeners.is_empty() {
            true => view! {
                "none: what is delivered starts nothing. "
                <IfMay action=Action::Write>
                    <a class="alink" href="/triggers/new?kind=webhook">"Make a trigger that listens"</a>
                </IfMay>
            }
            .into_any(),
            false => view! { <ul class="grid gap-1.5">{listeners}</ul> }.into_any(),
        };
        let tone = if h.refused > 0 { "num text-failed" } else { "num" };
        let seen = h.seen_at.map(|at| view! { ", the newest " <Time at/> });
        view! {
            <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-md:grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-1.5 mt-5">
                <dl class="kv content-start">
                    <dt>"Sender"</dt>
                    <dd>{sender(h.provider, &h.signing)}</dd>
                    <dt>"Triggers"</dt>
                    <dd>{listeners}</dd>
                </dl>
                <dl class="kv content-start">
                    <dt>"Taken"</dt>
                    <dd class="num">{h.accepted} {seen}</dd>
                    <dt>"Refused"</dt>
                    <dd class=tone>{h.refused}</dd>
                    <dt>"Made"</dt>
                    <dd>
                        <Time at=h.created_at/>
                    </dd>
                </dl>
            </div>
        }
    }
}

/// The form that gives it another name.
#[component]
fn Rename(data: Signal<HookPage>) -> impl IntoView {
    let rename = expect_context::<Doing>().rename;
    let at = memo(move |_| data.with(|d| (d.hook.id, d.hook.version)));
    let error = Signal::derive(move || rename.error());
    let wrong = Signal::derive(move || rename.error().and_then(|e| e.problem_of("name")));
    let name = data.with_untracked(|d| d.hook.name.clone());
    view! {
        <section class="sect" aria-labelledby="rename">
            <div class="sect-head">
                <h2 id="rename">"Name"</h2>
            </div>
            <ActionForm action=rename attr:class="grid gap-3 mt-3 max-w-[420px]" attr:autocomplete="off">
                <FormError error fields=&["name"]/>
                <input type="hidden" name="hook" value=move || at.get().0.0/>
                <input type="hidden" name="version" value=move || at.get().1 prop:value=move || at.get().1.to_string()/>
                <Field name="name" label="What people call it" value=name required=true autocomplete="off" error=wrong/>
                <div>
                    <SubmitButton icon="pencil">"Rename it"</SubmitButton>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
