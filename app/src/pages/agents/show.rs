//! One agent: how it stands, what it runs and ran, what became of it, and what can be done with it.
//!
//! **Invariant:** what is wrong stands above everything else, each thing in one sentence.

use super::acts::{Shown, drain, pause, resume};
use super::agent_of;
use super::api::{AgentPage, EditAgent, PatchAgent, get_agent};
use super::news::{News, clock};
use super::ran::Ran;
use super::row::{bytes, kind, load, slot};
use super::settings;
use super::state::{look, why};
use crate::components::{
    Ago, ButtonKind, Crumb, ErrorNote, Favicon, LinkButton, Loaded, Note, Page, Sign, SlotMarks, Status, Time,
};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::agent::AgentView;
use domain::auth::Action;
use domain::status::{AgentStatus, Availability};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// What the page's forms do.
#[derive(Clone, Copy)]
struct Acts {
    patch: Deed<PatchAgent>,
    edit: Deed<EditAgent>,
}

/// The page of an agent.
#[component]
pub fn AgentShow() -> impl IntoView {
    let params = use_params_map();
    let id = memo(move |_| params.with(agent_of));
    let acts = Acts {
        patch: Deed::new(),
        edit: Deed::new(),
    };
    provide_context(acts);
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || {
            (
                id.get(),
                fresh.get(),
                acts.patch.version().get(),
                acts.edit.version().get(),
            )
        },
        |(id, ..)| async move { get_agent(id?).await },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Agents, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=move |data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<AgentPage>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let agent = memo(move |_| data.with(|d| d.agent.clone()));
    let name = Signal::derive(move || agent.with(|a| a.name.clone()));
    let away = Signal::derive(move || agent.with(|a| a.status != AgentStatus::Online));
    let title = Signal::derive(move || match away.get() {
        true => format!("{} · away", name.get()),
        false => name.get(),
    });
    let sign = Signal::derive(move || if away.get() { Sign::Lost } else { Sign::Plain });
    let shown = memo(move |_| agent.with(Shown::of));
    let id = agent.with_untracked(|a| a.id);
    // The one inside the server comes and goes with it.
    let removable = memo(move |_| agent.with(|a| !a.builtin || a.status != AgentStatus::Online));
    let buttons = view! {
        <IfMay action=Action::Administer>
            {move || {
                removable
                    .get()
                    .then(|| {
                        view! {
                            <LinkButton href=format!("/agents/{id}/remove") kind=ButtonKind::Ghost icon="trash-2">
                                "Remove"
                            </LinkButton>
                        }
                    })
            }}
            {move || {
                let s = shown.get();
                match s.availability {
                    Availability::Active => {
                        view! {
                            {drain(s.clone(), acts.patch)}
                            {pause(s, acts.patch, false)}
                        }
                            .into_any()
                    }
                    _ => resume(s, acts.patch, ButtonKind::Primary),
                }
            }}
        </IfMay>
    };
    let failed = move || acts.patch.error().map(|error| view! { <ErrorNote error/> });
    view! {
        <Favicon sign/>
        <Page
            title=title
            heading=name
            crumbs=vec![Crumb::new("Agents", "/agents")]
            lead=Signal::derive(move || agent.with(kind))
            acts=buttons.into_any()
        >
            {failed} <Warnings agent/> <Machine data/> <Ran data/> <News data/>
            <IfMay action=Action::Administer>
                <Settings agent/>
            </IfMay>
        </Page>
    }
}

/// What an admin sets. The form is made anew only when what stands in it has changed: nobody's pause takes away what
/// someone else writes.
#[component]
fn Settings(agent: Memo<AgentView>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let set = memo(move |_| agent.with(|a| (a.name.clone(), a.slots, a.slots_reported, a.labels_set.clone())));
    view! {
        <section class="sect" aria-labelledby="settings">
            <div class="sect-head">
                <h2 id="settings">"Settings"</h2>
                <span class="aside desk">"they win over what the agent reports"</span>
            </div>
            {move || {
                set.track();
                settings::form(agent, acts.edit)
            }}
        </section>
    }
}

/// What is wrong, each in one sentence.
#[component]
fn Warnings(agent: Memo<AgentView>) -> impl IntoView {
    move || {
        let all = agent.with(|a| {
            let mut all: Vec<(&'static str, String)> = Vec::new();
            if a.status == AgentStatus::Unreachable {
                all.push((
                    "unplug",
                    "It is not heard. What runs there may go on; the server waits for its lease to end.".into(),
                ));
            }
            all.extend(
                a.facts
                    .disk_error
                    .clone()
                    .map(|why| ("triangle-alert", format!("It takes no job. {why}"))),
            );
            all.extend(
                a.facts
                    .engine_error
                    .clone()
                    .map(|why| ("triangle-alert", format!("It cannot use its engine. {why}"))),
            );
            all.extend(a.clock_off_ms.map(|off| {
                (
                    "clock",
                    format!(
                        "{} Times of steps are off by as much; nothing else depends on it.",
                        clock(off)
                    ),
                )
            }));
            let ours = env!("CARGO_PKG_VERSION");
            if !a.facts.version.is_empty() && a.facts.version != ours {
                all.push((
                    "triangle-alert",
                    format!(
                        "It runs version {}, the server {ours}. Renew the older of the two.",
                        a.facts.version
                    ),
                ));
            }
            all
        });
        let notes: Vec<_> = all
            .into_iter()
            .map(|(icon, sentence)| {
                view! {
                    <Note icon tone="st-lost">
                        <span>{sentence}</span>
                    </Note>
                }
            })
            .collect();
        view! { <div class="grid gap-2 mb-5 empty:hidden">{notes}</div> }
    }
}

/// How it stands, what it has, how busy it is.
#[component]
fn Machine(data: Signal<AgentPage>) -> impl IntoView {
    move || {
        data.with(|d| {
            let (a, now) = (&d.agent, d.now);
            let labels: Vec<_> = a
                .labels
                .iter()
                .map(|(k, v)| {
                    let set = a.labels_set.contains_key(k).then_some("set by an admin");
                    view! { <span class="chip chip-mono" title=set>{format!("{k}={v}")}</span> }
                })
                .collect();
            let busy = i64::try_from(a.running.len()).unwrap_or(i64::MAX);
            let running: Vec<_> = a.running.iter().cloned().map(|s| slot(s, now)).collect();
            let size = (a.facts.cpus > 0).then(|| {
                format!("{}, {} {}, {} cores, {}", a.facts.hostname, a.facts.os, a.facts.arch, a.facts.cpus, bytes(a.facts.memory))
            });
            let heard = a.seen_at.map(|at| view! { <Ago at now/> });
            view! {
                <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-md:grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-4">
                    <dl class="kv content-start">
                        <dt>"State"</dt>
                        <dd>
                            <Status look=look(a)/>
                            {why(a).map(|w| view! { <span class="block text-small text-ink-2">{w}</span> })}
                        </dd>
                        <dt>"Slots"</dt>
                        <dd>
                            <span class="flex items-center gap-2">
                                <SlotMarks busy slots=a.slots/>
                                <span class="num text-ink-2 text-small">{busy} " of " {a.slots}</span>
                            </span>
                            <span class="grid text-small mt-0.5">{running}</span>
                        </dd>
                        <dt>"Labels"</dt>
                        <dd>
                            <span class="flex flex-wrap gap-1">{labels}</span>
                        </dd>
                        <dt>"Heard"</dt>
                        <dd>{heard.map_or_else(|| "never".into_any(), IntoAny::into_any)}</dd>
                    </dl>
                    <dl class="kv content-start">
                        <dt>"Machine"</dt>
                        <dd>{size.unwrap_or_else(|| "not known yet".into())}</dd>
                        <dt>"Load"</dt>
                        <dd>{load(a)}</dd>
                        <dt>"Version"</dt>
                        <dd>{a.facts.version.clone()}</dd>
                        <dt>"Known since"</dt>
                        <dd>
                            <Time at=a.created_at/>
                        </dd>
                    </dl>
                </div>
            }
        })
    }
}
