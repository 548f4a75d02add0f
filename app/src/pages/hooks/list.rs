//! The list of hooks: who sends, where to, who listens, what came last, what was refused.
//!
//! **Invariant:** the address is shown whole; a hook whose newest delivery was refused says so.

use super::api::{HooksView, LIST, list_hooks};
use super::words::{listening, sender, unwell};
use crate::components::{Ago, Blank, ButtonKind, Favicon, Icon, IconSize, LinkButton, Loaded, Page, Rows, Sign};
use crate::layout::{AdminTabs, IfMay};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::Source;
use domain::Timestamp;
use domain::auth::Action;
use domain::trigger::HookView;
use leptos::prelude::*;

/// The page of hooks.
#[component]
pub fn HookList() -> impl IntoView {
    let fresh = RwSignal::new(0_u64);
    let all = Source::new(move || fresh.get(), |_| list_hooks());
    let seq = Signal::derive(move || all.get().and_then(Result::ok).map(|a| a.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=all body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<HooksView>) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.hooks.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let none = memo(move |_| items.with(Vec::is_empty));
    let lead = Signal::derive(move || match items.with(Vec::len) {
        0 => String::new(),
        1 => "1 hook".into(),
        n => format!("{n} hooks"),
    });
    let new = view! {
        <IfMay action=Action::Write>
            {move || {
                (!none.get())
                    .then(|| {
                        view! {
                            <LinkButton href=format!("{LIST}/new") kind=ButtonKind::Primary icon="plus">
                                "New hook"
                            </LinkButton>
                        }
                    })
            }}
        </IfMay>
    };
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title="Hooks" heading="Hooks" lead=lead acts=new.into_any()>
            <AdminTabs/>
            <Show when=move || !none.get() fallback=empty>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Hook"</th>
                            <th scope="col">"Sender"</th>
                            <th scope="col">"Listening"</th>
                            <th scope="col">"Last delivery"</th>
                            <th scope="col" class="text-end">"Refused"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|h: &HookView| h.id.0 row=move |h| row(h, now.get_untracked())/>
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
            title="No hooks yet"
            sentence="A hook is an address to which a forge, or anything else, delivers what happened there. Any number of triggers can listen to one; a webhook trigger brings its own where it is given none."
        >
            <IfMay action=Action::Write>
                <LinkButton href=format!("{LIST}/new") kind=ButtonKind::Primary icon="plus">
                    "Make the first hook"
                </LinkButton>
            </IfMay>
        </Blank>
    }
}

fn row(h: HookView, now: Timestamp) -> AnyView {
    let seen = match h.seen_at {
        Some(at) => view! { <Ago at now/> }.into_any(),
        None => "waits for the first".into_any(),
    };
    let refused = match (h.refused, unwell(&h)) {
        (0, _) => "0".into_any(),
        (n, false) => n.into_any(),
        (n, true) => view! {
            <span class="st st-failed">
                <Icon name="triangle-alert" size=IconSize::Small/>
                <span>{n}", the newest too"</span>
            </span>
        }
        .into_any(),
    };
    let rotating = h
        .rotating_since
        .map(|_| view! { <span class="block text-small text-ink-3">"two secrets"</span> });
    view! {
        <tr role="row">
            <td role="cell" class="c-main max-[899px]:col-span-2 min-w-0 min-[900px]:w-[38%] min-[900px]:max-w-0">
                <span class="t1">
                    <a class="trunc" href=format!("{LIST}/{}", h.id) title=h.name.clone()>{h.name.clone()}</a>
                </span>
                <span class="t2">
                    <span class="trunc mono" title=h.url.clone()>{h.url.clone()}</span>
                </span>
            </td>
            <td role="cell" class="c-wide text-ink-2" data-label="sender">
                {sender(h.provider, &h.signing)} {rotating}
            </td>
            <td role="cell" class="c-wide text-ink-2 min-w-0 wrap-anywhere" data-label="listening">{listening(&h)}</td>
            <td role="cell" class="c-cell text-ink-2" data-label="last">{seen}</td>
            <td role="cell" class="c-cell num" data-label="refused">{refused}</td>
        </tr>
    }
    .into_any()
}
