//! What can be done with a trigger: switched, fired, edited, copied, removed.
//!
//! **Invariant:** each is a form or a link that works without a script; nothing is removed by a link.

use super::api::{CheckTrigger, EnableTrigger, FireTrigger};
use crate::components::{ActionForm, ButtonKind, Icon, Menu, Note, SubmitButton};
use crate::layout::{FrameView, use_me};
use crate::wire::Deed;
use domain::TriggerId;
use domain::auth::Action;
use leptos::prelude::*;

/// What the pages' forms do.
#[derive(Clone, Copy)]
pub struct Acts {
    pub enable: Deed<EnableTrigger>,
    pub fire: Deed<FireTrigger>,
    pub check: Deed<CheckTrigger>,
    /// Whether the viewer may change triggers.
    pub write: Signal<bool>,
    /// Whether the viewer may fire them.
    pub run: Signal<bool>,
}

impl Acts {
    /// To be made once a page, and provided.
    pub fn new() -> Self {
        let me = use_me();
        let may = move |action| {
            Signal::derive(move || me.get().and_then(Result::ok).is_some_and(|m: FrameView| m.may(action)))
        };
        Self {
            enable: Deed::new(),
            fire: Deed::new(),
            check: Deed::new(),
            write: may(Action::Write),
            run: may(Action::Run),
        }
    }
}

/// The switch; the word alone to those who may not change it.
pub fn switch(id: TriggerId, name: &str, enabled: bool, acts: Acts) -> AnyView {
    let label = format!("{name} is {}", if enabled { "on" } else { "off" });
    (move || {
        let label = label.clone();
        if !acts.write.get() {
            return view! { <span class="text-small text-ink-3">{if enabled { "on" } else { "off" }}</span> }
                .into_any();
        }
        view! {
            <ActionForm action=acts.enable>
                <input type="hidden" name="trigger" value=id.0/>
                <input type="hidden" name="on" value=(!enabled).to_string()/>
                <button
                    type="submit"
                    role="switch"
                    class="toggle toggle-sm"
                    aria-checked=enabled.to_string()
                    aria-label=label
                ></button>
            </ActionForm>
        }
        .into_any()
    })
    .into_any()
}

/// The menu of a row.
pub fn menu(id: TriggerId, name: &str, acts: Acts) -> AnyView {
    let label = format!("More for {name}");
    view! {
        <Menu label icon="ellipsis">
            <Show when=move || acts.run.get()>
                <ActionForm action=acts.fire>
                    <input type="hidden" name="trigger" value=id.0/>
                    <button type="submit">
                        <Icon name="zap"/>
                        "Fire now"
                    </button>
                </ActionForm>
            </Show>
            <a href=format!("/triggers/{id}")>
                <Icon name="history"/>
                "Firings"
            </a>
            <Show when=move || acts.write.get()>
                <a href=format!("/triggers/{id}/edit")>
                    <Icon name="pencil"/>
                    "Edit"
                </a>
                <a href=format!("/triggers/new?from={id}")>
                    <Icon name="copy"/>
                    "Duplicate"
                </a>
                <a href=format!("/triggers/{id}/remove")>
                    <Icon name="trash-2"/>
                    "Remove"
                </a>
            </Show>
        </Menu>
    }
    .into_any()
}

/// The button that has a poll look now.
pub fn check(id: TriggerId, check: Deed<CheckTrigger>) -> AnyView {
    let pending = check.pending();
    view! {
        <ActionForm action=check>
            <input type="hidden" name="trigger" value=id.0/>
            <button class=ButtonKind::Line.class() type="submit" aria-busy=move || pending.get().to_string()>
                <Icon name="search"/>
                "Check now"
            </button>
        </ActionForm>
    }
    .into_any()
}

/// What the last check found, once there was one.
pub fn checked(check: Deed<CheckTrigger>) -> Option<AnyView> {
    let found = check.answer()?.ok()?;
    let (icon, tone) = match found.good {
        true => ("circle-check", "st-passed"),
        false => ("circle-x", "st-failed"),
    };
    let firings: Vec<_> = (found.firings.iter())
        .map(|id| view! { " " <a class="alink" href=format!("/firings/{id}")>"Firing "{id.0}</a> })
        .collect();
    Some(
        view! {
            <div class="mb-5" role="status">
                <Note icon tone>
                    <span class="min-w-0 wrap-anywhere text-base-content">"Checked: " {found.said} {firings}</span>
                </Note>
            </div>
        }
        .into_any(),
    )
}

/// The button that fires it.
pub fn fire(id: TriggerId, fire: Deed<FireTrigger>) -> AnyView {
    view! {
        <ActionForm action=fire>
            <input type="hidden" name="trigger" value=id.0/>
            <SubmitButton kind=ButtonKind::Primary icon="zap">"Fire now"</SubmitButton>
        </ActionForm>
    }
    .into_any()
}
