//! The list of agents.
//!
//! **Invariant:** rows keep their place while news come in.

use super::acts::Shown;
use super::api::{AgentsView, PatchAgent, list_agents};
use super::row::row;
use super::state::lead;
use crate::address::address;
use crate::components::{Blank, ButtonKind, ErrorNote, Favicon, LinkButton, Loaded, Note, Page, Rows, Sign};
use crate::layout::{IfMay, use_me};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::agent::AgentView;
use domain::auth::Action;
use domain::status::{AgentStatus, Availability};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What rows share.
#[derive(Clone, Copy)]
pub(super) struct Acts {
    pub patch: Deed<PatchAgent>,
    /// Whether the viewer may pause and resume.
    pub may: Signal<bool>,
}

/// Which agents are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    All,
    Online,
    Paused,
    Away,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::All, "", "All"),
        (Self::Online, "online", "Online"),
        (Self::Paused, "paused", "Paused"),
        (Self::Away, "away", "Away"),
    ];

    fn takes(self, a: &AgentView) -> bool {
        match self {
            Self::All => true,
            Self::Online => a.status == AgentStatus::Online,
            Self::Paused => a.availability != Availability::Active,
            Self::Away => a.status != AgentStatus::Online,
        }
    }
}

/// The page of agents.
#[component]
pub fn AgentList() -> impl IntoView {
    let me = use_me();
    let acts = Acts {
        patch: Deed::new(),
        may: Signal::derive(move || me.get().and_then(Result::ok).is_some_and(|m| m.may(Action::Administer))),
    };
    provide_context(acts);
    let fresh = RwSignal::new(0_u64);
    let agents = Source::new(move || (fresh.get(), acts.patch.version().get()), |_| list_agents());
    let seq = Signal::derive(move || agents.get().and_then(Result::ok).map(|a| a.seq));
    let news = use_live(Topic::Agents, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=agents body=move |data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<AgentsView>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let query = use_query_map();
    let tab = memo(move |_| {
        let is = query.with(|q| q.get("is").unwrap_or_default());
        Tab::ALL
            .into_iter()
            .find(|(_, word, _)| *word == is)
            .map_or(Tab::All, |(tab, ..)| tab)
    });
    let count = move |tab: Tab| data.with(|d| d.agents.iter().filter(|a| tab.takes(a)).count());
    let away = memo(move |_| count(Tab::Away));
    let title = Signal::derive(move || match away.get() {
        0 => "Agents".to_owned(),
        n => format!("Agents · {n} away"),
    });
    let sign = Signal::derive(move || if away.get() > 0 { Sign::Lost } else { Sign::Plain });
    let lead = Signal::derive(move || data.with(|d| lead(&d.agents)));
    let tabs = Tab::ALL.map(|(this, word, name)| {
        let bad = move || this == Tab::Away && away.get() > 0;
        view! {
            <a href=address("/agents", [("is", word)]) aria-current=move || (tab.get() == this).then_some("true")>
                {name}
                <span class=move || if bad() { "n n-bad" } else { "n" }>{move || count(this)}</span>
            </a>
        }
    });
    let shown = memo(move |_| {
        data.with(|d| {
            d.agents
                .iter()
                .filter(|a| tab.get().takes(a))
                .map(Shown::of)
                .collect::<Vec<_>>()
        })
    });
    let failed = move || acts.patch.error().map(|error| view! { <ErrorNote error/> });
    let add = view! {
        <IfMay action=Action::Administer>
            <LinkButton href="/agents/new" kind=ButtonKind::Primary icon="plus">
                "Add an agent"
            </LinkButton>
        </IfMay>
    };
    view! {
        <Favicon sign/>
        <Page title heading="Agents" lead=lead acts=add.into_any()>
            {failed} <AwayNote data/>
            <div class="filterbar">
                <nav class="viewtabs" aria-label="Which agents">
                    {tabs.into_iter().collect::<Vec<_>>()}
                </nav>
            </div>
            <Show
                when=move || shown.with(|s| !s.is_empty())
                fallback=move || {
                    let none = data.with(|d| d.agents.is_empty());
                    let (title, sentence) = if none {
                        ("No agents yet", "An agent is the program that runs jobs. The server starts one of its own; it appears here as soon as it has called.")
                    } else {
                        ("No agent is like that", "The other tabs have them.")
                    };
                    view! { <Blank small=!none title sentence/> }
                }
            >
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Agent"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Labels"</th>
                            <th scope="col">"Slots and what runs"</th>
                            <th scope="col">"Load"</th>
                            <th class="num" scope="col">"Heard"</th>
                            <th scope="col"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items=shown key=|s: &Shown| s.id.0 row=move |s| row(s, data, acts)/>
                    </tbody>
                </table>
            </Show>
        </Page>
    }
    .into_any()
}

/// Agents whose silence may hold jobs up, and engines that cannot be used.
#[component]
fn AwayNote(data: Signal<AgentsView>) -> impl IntoView {
    move || {
        let (silent, broken) = data.with(|d| {
            let silent: Vec<_> = d
                .agents
                .iter()
                .filter(|a| a.status == AgentStatus::Unreachable)
                .map(|a| a.name.clone())
                .collect();
            let broken: Vec<_> = d
                .agents
                .iter()
                .filter(|a| a.status == AgentStatus::Online)
                .filter_map(|a| match (&a.facts.disk_error, &a.facts.engine_error) {
                    (Some(why), _) => Some((format!("{} takes no job.", a.name), why.clone())),
                    (None, Some(why)) => Some((format!("{} cannot use its engine.", a.name), why.clone())),
                    (None, None) => None,
                })
                .collect();
            (silent, broken)
        });
        let silent = (!silent.is_empty()).then(|| {
            view! {
                <Note icon="unplug" tone="st-lost">
                    <span>
                        <b class="font-[600]">
                            {silent.join(", ")} {if silent.len() == 1 { " is" } else { " are" }} " unreachable."
                        </b> " What runs there may go on; the server waits for its lease to end."
                    </span>
                </Note>
            }
        });
        let broken: Vec<_> = broken
            .into_iter()
            .map(|(what, why)| {
                view! {
                    <Note icon="triangle-alert" tone="st-lost">
                        <span>
                            <b class="font-[600]">{what}</b> " " {why}
                        </span>
                    </Note>
                }
            })
            .collect();
        view! { <div class="grid gap-2 empty:hidden">{silent} {broken}</div> }
    }
}
