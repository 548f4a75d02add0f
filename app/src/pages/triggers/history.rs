//! All firings of all triggers, newest first.
//!
//! **Invariant:** verdict and page stand in the address.

use super::api::list_firings;
use super::firings::{Asked, FiringTable, VerdictTabs};
use super::view::FiringsView;
use crate::components::{Blank, Crumb, Favicon, LinkButton, Loaded, Page, Pager, Sign};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::Source;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page.
#[component]
pub fn FiringList() -> impl IntoView {
    let query = use_query_map();
    let asked = memo(move |_| query.with(Asked::of));
    let fresh = RwSignal::new(0_u64);
    let firings = Source::new(
        move || (asked.get(), fresh.get()),
        |(a, _)| list_firings(a.verdict, a.cursor),
    );
    let seq = Signal::derive(move || firings.get().and_then(Result::ok).map(|f| f.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=firings body=move |data| view! { <Body data asked/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<FiringsView>, asked: Memo<Asked>) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.firings.items.clone()));
    let older = memo(move |_| {
        let a = asked.get();
        data.with(|d| d.firings.next_cursor.as_deref().map(|c| a.page("/firings", c)))
    });
    let newest = memo(move |_| asked.with(|a| (!a.cursor.is_empty()).then(|| a.page("/firings", ""))));
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title="Firings".to_owned()
            heading="Firings"
            crumbs=vec![Crumb::new("Triggers", "/triggers")]
            lead=Signal::stored("What every trigger decided, and why.".to_owned())
        >
            <div class="filterbar mt-0!">
                <VerdictTabs path="/firings" asked/>
            </div>
            <Show when=move || items.with(|i| !i.is_empty()) fallback=move || nothing(asked.with(|a| *a == Asked::default()))>
                <FiringTable items/>
                {move || view! { <Pager newest=newest.get() older=older.get()/> }}
            </Show>
        </Page>
    }
}

fn nothing(at_all: bool) -> impl IntoView {
    let (title, sentence, href, words) = match at_all {
        true => (
            "Nothing has fired yet",
            "Each time a trigger is asked whether to start its plan, the answer is kept here with its reasons.",
            "/triggers",
            "Show the triggers",
        ),
        false => (
            "No firing is like that",
            "The other tabs have those that ended otherwise.",
            "/firings",
            "Show all firings",
        ),
    };
    view! {
        <Blank small=true title sentence>
            <LinkButton href>{words}</LinkButton>
        </Blank>
    }
}
