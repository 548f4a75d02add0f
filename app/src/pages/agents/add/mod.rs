//! Adding an agent: a token for some machines, the command for them, and word when they call.
//!
//! **Invariant:** a token's secret is shown once, to the one who made it.

pub mod api;
mod command;
mod form;
mod tokens;

use crate::components::{Crumb, Favicon, Loaded, Page, Sign};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use api::{AddView, CreateAgentToken, RevokeAgentToken, get_add};
use domain::AgentTokenId;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What the page's forms do.
#[derive(Clone, Copy)]
pub(super) struct Deeds {
    pub create: Deed<CreateAgentToken>,
    pub revoke: Deed<RevokeAgentToken>,
}

/// The page.
#[component]
pub fn AgentNew() -> impl IntoView {
    let query = use_query_map();
    let deeds = Deeds {
        create: Deed::new(),
        revoke: Deed::new(),
    };
    provide_context(deeds);
    // The token just made: by a script, else as the address says.
    let token = memo(move |_| {
        let made = deeds.create.answer().and_then(Result::ok).map(|m| m.id);
        made.or_else(|| query.with(|q| q.get("token").and_then(|t| t.parse::<AgentTokenId>().ok())))
    });
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || (token.get(), fresh.get(), deeds.revoke.version().get()),
        |(token, ..)| get_add(token.map_or(0, |t| t.0)),
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Agents, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=move |data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<AddView>) -> impl IntoView {
    view! {
        <Favicon sign=Sign::Plain/>
        <Page
            title="Add an agent"
            heading="Add"
            crumbs=vec![Crumb::new("Agents", "/agents")]
            lead="The agent calls the server; no port has to be open on it."
        >
            <command::Made data/> <form::NewToken data/> <tokens::Open data/>
        </Page>
    }
}
