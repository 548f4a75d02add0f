//! The frame of a page's content: its tab title, its top bar, its body.
//!
//! **Invariant:** every page inside the shell has exactly one `h1`, and its first tab stop is the skip link.

use super::{Icon, IconSize, Logo};
use crate::browser;
use crate::layout::{Account, LiveMark};
use leptos::prelude::*;
use leptos_meta::Title;

/// A step of the way to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    /// Its words.
    pub text: String,
    /// Where it leads.
    pub href: String,
}

impl Crumb {
    /// A crumb.
    pub fn new(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            href: href.into(),
        }
    }
}

/// A page: tab title, top bar, body.
#[component]
pub fn Page(
    /// Title of the browser's tab, without the product's name; begins with the state.
    #[prop(into)]
    title: Signal<String>,
    /// The heading in the top bar. With crumbs it is the last of them.
    #[prop(into)]
    heading: Signal<String>,
    /// The way here; details have one, lists do not.
    #[prop(optional)]
    crumbs: Vec<Crumb>,
    /// One sentence beside the heading.
    #[prop(optional, into)]
    lead: Option<Signal<String>>,
    /// Buttons at the end of the bar; the last one is the primary.
    #[prop(optional)]
    acts: Option<AnyView>,
    /// What the page shows.
    children: Children,
) -> impl IntoView {
    let head = if crumbs.is_empty() {
        view! { <h1>{heading}</h1> }.into_any()
    } else {
        let way: Vec<_> = crumbs
            .into_iter()
            .map(|c| {
                view! {
                    <a href=c.href>{c.text}</a>
                    <Icon name="chevron-right" size=IconSize::Small/>
                }
            })
            .collect();
        view! {
            <nav class="crumbs" aria-label="Way here">
                {way}
                <h1 aria-current="page">{heading}</h1>
            </nav>
        }
        .into_any()
    };
    view! {
        <Title text=browser::tab_title(title)/>
        <header class="topbar">
            <a class="md:hidden" href="/" aria-label="Caracal, queue">
                <Logo class="size-6"/>
            </a>
            {head}
            {lead.map(|lead| view! { <p class="lead">{lead}</p> })}
            <span class="ms-auto flex items-center gap-3 md:hidden">
                <Account/>
                <LiveMark quiet=true/>
            </span>
            {acts.map(|acts| view! { <div class="acts">{acts}</div> })}
        </header>
        <div class="main">{children()}</div>
    }
    .into_any()
}
