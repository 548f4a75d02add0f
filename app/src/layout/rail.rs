//! The rail: where one is, where one can go, what goes on.
//!
//! **Invariant:** a page without its capability is not in the rail.

use super::me::FrameView;
use super::user_menu::UserMenu;
use super::{IfMay, LiveMark, use_me};
use crate::components::{Icon, IconSize, Logo};
use crate::memo::memo;
use domain::auth::Action;
use domain::queue::QueueFigures;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Queue,
    Plans,
    Triggers,
    Agents,
    Repositories,
    Hooks,
    Secrets,
    Other,
}

impl Section {
    fn of(path: &str) -> Self {
        let mut parts = path.split('/').skip(1);
        match (parts.next().unwrap_or_default(), parts.next()) {
            ("" | "tasks", _) => Self::Queue,
            ("plans", _) => Self::Plans,
            ("triggers" | "firings", _) => Self::Triggers,
            ("agents", _) => Self::Agents,
            ("admin", Some("repositories")) => Self::Repositories,
            ("admin", Some("hooks")) => Self::Hooks,
            ("admin", Some("secrets")) => Self::Secrets,
            _ => Self::Other,
        }
    }
}

/// The rail; on a phone the bar at the bottom.
#[component]
pub fn Rail() -> AnyView {
    let me = use_me();
    let path = use_location().pathname;
    let here = memo(move |_| Section::of(&path.get()));
    let current = move |s: Section| move || (here.get() == s).then_some("page");
    let figures = move || {
        view! {
            <Transition>
                {move || Suspend::new(async move { me.wait().await.ok().map(|m| queue_count(m.figures)) })}
            </Transition>
        }
    };
    let away = move || {
        view! {
            <Transition>
                {move || Suspend::new(async move { me.wait().await.ok().and_then(|m| away_count(m.figures)) })}
            </Transition>
        }
    };
    view! {
        <header class="rail">
            <a class="brand" href="/" aria-label="Caracal, queue">
                <Logo/>
                <span>"Caracal"</span>
            </a>
            <nav class="nav" aria-label="Main">
                <a href="/" aria-current=current(Section::Queue)>
                    <Icon name="list-ordered"/>
                    <span>"Queue"</span>
                    {figures}
                </a>
                <a href="/plans" aria-current=current(Section::Plans)>
                    <Icon name="file-code"/>
                    <span>"Plans"</span>
                </a>
                <a href="/triggers" aria-current=current(Section::Triggers)>
                    <Icon name="zap"/>
                    <span>"Triggers"</span>
                </a>
                <a href="/agents" aria-current=current(Section::Agents)>
                    <Icon name="server"/>
                    <span>"Agents"</span>
                    {away}
                </a>
                // A phone's bar has no room for the first two: there they are tabs of the secrets' page.
                <IfMay action=Action::Write>
                    <div class="contents">
                        <a
                            href="/admin/repositories"
                            class="max-md:hidden!"
                            aria-current=current(Section::Repositories)
                        >
                            <Icon name="folder-git-2"/>
                            <span>"Repositories"</span>
                        </a>
                        <a href="/admin/hooks" class="max-md:hidden!" aria-current=current(Section::Hooks)>
                            <Icon name="webhook"/>
                            <span>"Hooks"</span>
                        </a>
                        <a href="/admin/secrets" aria-current=current(Section::Secrets)>
                            <Icon name="key-round"/>
                            <span>"Secrets"</span>
                        </a>
                    </div>
                </IfMay>
            </nav>
            <div class="rail-foot">
                <p class="flex items-center px-2 py-1.5 min-h-7">
                    <LiveMark/>
                </p>
                <Transition>
                    {move || Suspend::new(async move {
                        me.wait().await.ok().map(|FrameView { name, .. }| view! { <UserMenu name/> })
                    })}
                </Transition>
            </div>
        </header>
    }
    .into_any()
}

fn queue_count(f: QueueFigures) -> impl IntoView {
    let running = (f.running > 0).then(|| {
        view! {
            <b class="text-running">
                <Icon name="loader-circle" turns=true/>
                {f.running}
                <span class="sr-only">" running"</span>
            </b>
        }
    });
    let waiting = (f.waiting > 0).then(|| {
        view! {
            <b class="desk">
                <Icon name="hourglass"/>
                {f.waiting}
                <span class="sr-only">" waiting"</span>
            </b>
        }
    });
    (f.running + f.waiting > 0).then(|| view! { <span class="count flex gap-2">{running}{waiting}</span> })
}

fn away_count(f: QueueFigures) -> Option<impl IntoView> {
    let away = f.agents - f.online;
    (away > 0).then(|| {
        view! {
            <span class="count count-bad" title=format!("{away} not online")>
                <Icon name="triangle-alert" size=IconSize::Small/>
                <span class="sr-only">"not online: "</span>
                {away}
            </span>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::Section;

    #[test]
    fn a_path_belongs_to_one_section() {
        for (path, want) in [
            ("/", Section::Queue),
            ("/tasks/12", Section::Queue),
            ("/plans/3/edit", Section::Plans),
            ("/triggers/7/remove", Section::Triggers),
            ("/firings/3", Section::Triggers),
            ("/agents", Section::Agents),
            ("/admin/secrets", Section::Secrets),
            ("/admin/secrets/7", Section::Secrets),
            ("/admin/repositories/7/edit", Section::Repositories),
            ("/admin/hooks", Section::Hooks),
            ("/admin", Section::Other),
            ("/me", Section::Other),
        ] {
            assert_eq!(Section::of(path), want);
        }
    }
}
