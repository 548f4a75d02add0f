//! What every page may know of its viewer, read once by the frame.
//!
//! **Invariant:** rights here only leave out buttons; `auth::authorize` decides behind each port.

use super::Theme;
use crate::memo::memo;
use crate::wire::Source;
use domain::auth::{Action, Role};
use domain::queue::QueueFigures;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the frame shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameView {
    /// The viewer's name.
    pub name: String,
    /// Their role in the one project there is.
    pub role: Option<Role>,
    /// The theme they chose.
    pub theme: Option<Theme>,
    /// The event number it was read at.
    pub seq: i64,
    /// Figures for the rail.
    pub figures: QueueFigures,
    /// Whether people come over plain http from other machines.
    pub plain_http: bool,
    /// The address people use.
    pub public_url: String,
    /// Version of the server.
    pub version: String,
}

impl FrameView {
    /// Whether the viewer's role covers this.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.role.is_some_and(|r| r >= action.role())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Me(pub Source<FrameView>);

/// The frame's data, inside `Frame`. Wait for it in a page's `Suspend`.
///
/// # Panics
/// Outside of `Frame`, which provides it.
#[must_use]
pub fn use_me() -> Source<FrameView> {
    expect_context::<Me>().0
}

/// Shows its children only to those whose role covers the action.
#[component]
pub fn IfMay(
    /// What one must be allowed to do.
    action: Action,
    /// What only they see.
    children: ChildrenFn,
) -> impl IntoView {
    view! {
        <Transition>
            <Allowed action children/>
        </Transition>
    }
}

/// Stands inside the `Transition`, so that what it reads is waited for there. Its children are made once: the rail is read
/// again with every news, and what one writes in a form or has opened must outlast that.
#[component]
fn Allowed(action: Action, children: ChildrenFn) -> impl IntoView {
    let me = use_me();
    let children = StoredValue::new(children);
    Suspend::new(async move {
        let first = me.wait().await.is_ok_and(|m| m.may(action));
        let may = memo(move |last: Option<&bool>| match me.get() {
            Some(Ok(m)) => m.may(action),
            _ => last.copied().unwrap_or(first),
        });
        move || may.get().then(|| children.with_value(|c| c()))
    })
}
