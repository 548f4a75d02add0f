//! The list of triggers: what makes each fire, what it did last, when it does next, and how it is.
//!
//! **Invariant:** tab, search and page stand in the address; rows keep their place while news come in.

use super::acts::Acts;
use super::api::list_triggers;
use super::band::Band;
use super::row::Table;
use super::view::TriggersView;
use crate::address::address;
use crate::browser;
use crate::components::{
    Blank, ButtonKind, ErrorNote, Favicon, Icon, IconSize, LinkButton, Loaded, Page, Pager, Sign, Time,
};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::Source;
use domain::auth::Action;
use domain::trigger::{Counts, Kind};
use leptos::prelude::*;
use leptos_router::hooks::{use_navigate, use_query_map};

/// What the address asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    /// A kind, or `unwell`; all when empty.
    is: String,
    q: String,
    cursor: String,
}

impl Asked {
    fn to(&self, is: &str, cursor: &str) -> String {
        address("/triggers", [("is", is), ("q", self.q.as_str()), ("cursor", cursor)])
    }
}

const UNWELL: &str = "unwell";

/// The page of triggers.
#[component]
pub fn TriggerList() -> impl IntoView {
    let query = use_query_map();
    let asked = memo(move |_| {
        query.with(|q| {
            let of = |name: &str| q.get(name).unwrap_or_default();
            Asked {
                is: of("is"),
                q: of("q"),
                cursor: of("cursor"),
            }
        })
    });
    let acts = Acts::new();
    provide_context(acts);
    let fresh = RwSignal::new(0_u64);
    let triggers = Source::new(
        move || (asked.get(), fresh.get(), acts.enable.version().get()),
        |(a, ..)| list_triggers(a.is, a.q, a.cursor),
    );
    let seq = Signal::derive(move || triggers.get().and_then(Result::ok).map(|t| t.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=triggers body=move |data| view! { <Body data asked/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<TriggersView>, asked: Memo<Asked>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let items = memo(move |_| data.with(|d| d.triggers.items.clone()));
    let counts = memo(move |_| data.with(|d| d.counts.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let unwell = memo(move |_| counts.with(|c| c.unwell));
    let none_yet = memo(move |_| counts.with(|c| c.on + c.off == 0));
    let title = Signal::derive(move || match unwell.get() {
        0 => "Triggers".to_owned(),
        n => format!("Triggers · {n} unwell"),
    });
    let sign = Signal::derive(move || if unwell.get() > 0 { Sign::Failed } else { Sign::Plain });
    let buttons = view! {
        <Show when=move || !none_yet.get()>
            <LinkButton href="/firings" kind=ButtonKind::Line icon="history">
                "All firings"
            </LinkButton>
            <IfMay action=Action::Write>
                <LinkButton href="/triggers/new" kind=ButtonKind::Primary icon="plus">
                    "New trigger"
                </LinkButton>
            </IfMay>
        </Show>
    };
    let failed = move || {
        let error = acts.enable.error().or_else(|| acts.fire.error());
        error.map(|error| view! { <ErrorNote error/> })
    };
    let older = memo(move |_| {
        let a = asked.get();
        data.with(|d| d.triggers.next_cursor.as_deref().map(|c| a.to(&a.is, c)))
    });
    let newest = memo(move |_| asked.with(|a| (!a.cursor.is_empty()).then(|| a.to(&a.is, ""))));
    view! {
        <Favicon sign/>
        <Page title heading="Triggers" lead=Signal::derive(move || counts.with(lead)) acts=buttons.into_any()>
            {failed}
            <Show when=move || !none_yet.get() fallback=empty>
                <Soon data/>
                <div class="filterbar">
                    <Tabs asked counts/>
                    <Search asked/>
                </div>
                <Show
                    when=move || items.with(|i| !i.is_empty())
                    fallback=move || {
                        let (title, sentence) = match asked.with(|a| a.q.is_empty() && a.is == UNWELL) {
                            true => ("All is well", "A trigger stands here when nobody answers it, its deliveries are refused, or it was late."),
                            false => ("No trigger is like that", "The search looks in the names of triggers and of their plans; other kinds are in the other tabs."),
                        };
                        view! {
                            <Blank small=true title sentence>
                                <LinkButton href="/triggers">"Show all triggers"</LinkButton>
                            </Blank>
                        }
                    }
                >
                    <Table items now acts/>
                    {legend()}
                    {move || view! { <Pager newest=newest.get() older=older.get()/> }}
                </Show>
            </Show>
        </Page>
    }
}

/// What comes next, in a picture where there is enough to draw.
#[component]
fn Soon(data: Signal<TriggersView>) -> impl IntoView {
    let soon = memo(move |_| data.with(|d| (d.next, d.band.clone())));
    move || {
        let (next, band) = soon.get();
        let next = next.map(|at| view! { "The next one fires at " <Time at/> ". " }.into_any());
        match (band, next) {
            (Some(of), next) => Some(view! { <Band of next/> }.into_any()),
            (None, Some(next)) => Some(view! { <p class="text-table text-ink-2">{next}</p> }.into_any()),
            (None, None) => None,
        }
    }
}

/// The page's sentence.
fn lead(counts: &Counts) -> String {
    let on = match counts.on {
        1 => "1 trigger on".to_owned(),
        n => format!("{n} triggers on"),
    };
    match (counts.on + counts.off, counts.off) {
        (0, _) => String::new(),
        (_, 0) => format!("{on}."),
        (_, off) => format!("{on}, {off} off."),
    }
}

#[component]
fn Tabs(asked: Memo<Asked>, counts: Memo<Counts>) -> impl IntoView {
    let of_kind = move |kind: Kind| counts.with(|c| c.kinds.get(kind.as_str()).copied().unwrap_or(0));
    let tab = move |word: &'static str, name: &'static str, count: Signal<i64>| {
        let bad = move || word == UNWELL && count.get() > 0;
        view! {
            <a
                href=move || asked.with(|a| a.to(word, ""))
                aria-current=move || asked.with(|a| a.is == word).then_some("true")
            >
                {name}
                <span class=move || if bad() { "n n-bad" } else { "n" }>{move || count.get()}</span>
            </a>
        }
    };
    let all = Signal::derive(move || counts.with(|c| c.on + c.off));
    let kinds = [
        (Kind::Webhook, "Webhook"),
        (Kind::Cron, "Cron"),
        (Kind::Poll, "Poll"),
        (Kind::Upstream, "Upstream"),
    ]
    .map(|(kind, name)| tab(kind.as_str(), name, Signal::derive(move || of_kind(kind))));
    view! {
        <nav class="viewtabs" aria-label="Which triggers">
            {tab("", "All", all)}
            {kinds.into_iter().collect::<Vec<_>>()}
            {tab(UNWELL, "Unwell", Signal::derive(move || counts.with(|c| c.unwell)))}
        </nav>
    }
    .into_any()
}

/// The search: a plain GET form; a script only spares the reload.
#[component]
fn Search(asked: Memo<Asked>) -> impl IntoView {
    let navigate = use_navigate();
    let take_over = move |ev: leptos::ev::SubmitEvent| {
        if let Some(fields) = browser::taken_over(&ev, &["q"]) {
            let q = fields.first().map_or("", |(_, q)| q);
            let is = asked.with_untracked(|a| a.is.clone());
            navigate(
                &address("/triggers", [("is", is.as_str()), ("q", q)]),
                Default::default(),
            );
        }
    };
    view! {
        <form class="max-md:w-full max-md:py-2 max-md:order-first" method="get" action="/triggers" role="search" on:submit=take_over>
            <input type="hidden" name="is" value=move || asked.with(|a| a.is.clone())/>
            <label class="input input-sm input-soft w-64 max-md:w-full">
                <span class="text-ink-3 inline-flex">
                    <Icon name="search" size=IconSize::Small/>
                </span>
                <input
                    type="search"
                    name="q"
                    placeholder="trigger or plan"
                    aria-label="Search triggers"
                    value=move || asked.with(|a| a.q.clone())
                    prop:value=move || asked.with(|a| a.q.clone())
                />
            </label>
        </form>
    }
    .into_any()
}

fn legend() -> impl IntoView {
    view! {
        <p class="t2 mt-4 c-late">
            <span class="inl">
                <svg class="pic" width="18" height="12" aria-hidden="true">
                    <rect class="f-passed" x="0" y="2" width="3.5" height="10" rx="1"></rect>
                    <rect class="f-failed" x="6" y="5" width="3.5" height="7" rx="1"></rect>
                    <rect class="f-waiting" x="12" y="7" width="3.5" height="5" rx="1"></rect>
                </svg>
                "a bar is a day (UTC): tasks that passed, that did not, and firings that started nothing"
            </span>
        </p>
    }
}

fn empty() -> impl IntoView {
    view! {
        <Blank
            title="No triggers yet"
            sentence="A trigger starts a plan by itself: when somebody pushes, at a time, when something has changed, or after another plan. Each firing says what it started, or why it started nothing."
        >
            <IfMay action=Action::Write>
                <LinkButton href="/triggers/new" kind=ButtonKind::Primary icon="plus">
                    "Make the first trigger"
                </LinkButton>
            </IfMay>
        </Blank>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_counts_what_is_on_and_off() {
        let counts = |on, off| Counts {
            on,
            off,
            ..Counts::default()
        };
        for (c, want) in [
            (counts(0, 0), ""),
            (counts(1, 0), "1 trigger on."),
            (counts(11, 1), "11 triggers on, 1 off."),
            (counts(0, 2), "0 triggers on, 2 off."),
        ] {
            assert_eq!(lead(&c), want);
        }
    }
}
