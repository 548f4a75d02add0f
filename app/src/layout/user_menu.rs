//! The viewer's own menu: theme, tokens, signing out.
//!
//! **Invariant:** signing out is a form, so that no link can do it.

use super::theme::ThemeChoice;
use super::use_me;
use crate::components::Icon;
use leptos::prelude::*;

/// The menu at the foot of the rail.
#[component]
pub fn UserMenu(
    /// The viewer's name.
    name: String,
) -> impl IntoView {
    view! {
        <details class="rail-user pop pop-up w-full">
            <summary>
                <span class="avatar" aria-hidden="true">{initials(&name)}</span>
                <span class="trunc">{name.clone()} <span class="sr-only">", account"</span></span>
                <span class="chevrons ms-auto">
                    <Icon name="chevrons-up-down" size=crate::components::IconSize::Small/>
                </span>
            </summary>
            <div class="pop-body">
                <ThemeChoice/>
                <a href="/me">
                    <Icon name="key"/>
                    "API tokens"
                </a>
                <SignOut/>
            </div>
        </details>
    }
    .into_any()
}

/// A button that signs out.
#[component]
pub fn SignOut() -> impl IntoView {
    view! {
        <form method="post" action="/ui/session/delete">
            <button type="submit">
                <Icon name="log-out"/>
                "Sign out"
            </button>
        </form>
    }
    .into_any()
}

/// The way to one's own page on a phone, where the rail has no foot.
#[component]
pub fn Account() -> impl IntoView {
    let me = use_me();
    view! {
        <Transition>
            {move || Suspend::new(async move {
                me.wait().await.ok().map(|m| {
                    view! {
                        <a href="/me" aria-label=format!("{} {}, account", initials(&m.name), m.name)>
                            <span class="avatar" aria-hidden="true">{initials(&m.name)}</span>
                        </a>
                    }
                })
            })}
        </Transition>
    }
    .into_any()
}

/// Up to two letters for a name: `AK` for `ana.kovac`.
pub(super) fn initials(name: &str) -> String {
    name.split(|c: char| !c.is_alphanumeric())
        .filter_map(|part| part.chars().next())
        .take(2)
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_become_initials() {
        for (name, want) in [
            ("ana.kovac", "AK"),
            ("Ana Maria Kovač", "AM"),
            ("root", "R"),
            ("", ""),
            ("žan", "Ž"),
        ] {
            assert_eq!(super::initials(name), want);
        }
    }
}
