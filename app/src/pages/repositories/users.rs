//! What has to do with a repository, as links.
//!
//! **Invariant:** names of others are text; each leads to where it can be looked at.

use domain::repository::{RepositoryUser, RepositoryUserKind};
use leptos::prelude::*;

/// Where a user of a repository is.
pub fn address(user: &RepositoryUser) -> String {
    match user.kind {
        RepositoryUserKind::Trigger => format!("/triggers/{}", user.id),
        RepositoryUserKind::Plan => format!("/plans/{}", user.id),
        RepositoryUserKind::Hook => format!("/admin/hooks/{}", user.id),
    }
}

/// How many there are of each kind: `2 triggers, 1 plan`.
pub fn counted(users: &[RepositoryUser]) -> String {
    let parts: Vec<String> = [
        RepositoryUserKind::Plan,
        RepositoryUserKind::Trigger,
        RepositoryUserKind::Hook,
    ]
    .into_iter()
    .filter_map(|kind| {
        let n = users.iter().filter(|u| u.kind == kind).count();
        let word = kind.as_str();
        match n {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        }
    })
    .collect();
    parts.join(", ")
}

/// The section of one repository.
#[component]
pub fn Users(users: Vec<RepositoryUser>) -> impl IntoView {
    let of = |kind: RepositoryUserKind| {
        let links: Vec<_> = users
            .iter()
            .filter(|u| u.kind == kind)
            .map(|u| {
                let how = u.named.then_some(", by its name");
                view! {
                    <li>
                        <a class="alink" href=address(u)>{u.name.clone()}</a>
                        <span class="text-ink-3">{how}</span>
                    </li>
                }
            })
            .collect();
        match links.is_empty() {
            true => view! { <span class="text-ink-3">"none"</span> }.into_any(),
            false => view! { <ul class="grid gap-1.5">{links}</ul> }.into_any(),
        }
    };
    view! {
        <section class="sect" aria-labelledby="users">
            <div class="sect-head">
                <h2 id="users">"What has to do with it"</h2>
            </div>
            <dl class="kv pt-3">
                <dt>"Plans that run it"</dt>
                <dd>{of(RepositoryUserKind::Plan)}</dd>
                <dt>"Triggers that look at it"</dt>
                <dd>{of(RepositoryUserKind::Trigger)}</dd>
                <dt>"Hooks for it"</dt>
                <dd>{of(RepositoryUserKind::Hook)}</dd>
            </dl>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::RepositoryId;

    #[test]
    fn users_are_counted_by_kind() {
        let user = |kind, id| RepositoryUser {
            repository_id: RepositoryId(1),
            kind,
            id,
            name: "a".into(),
            named: false,
        };
        let all = [
            user(RepositoryUserKind::Trigger, 1),
            user(RepositoryUserKind::Trigger, 2),
            user(RepositoryUserKind::Hook, 3),
        ];
        assert_eq!(counted(&all), "2 triggers, 1 hook");
        assert_eq!(counted(&[]), "");
        assert_eq!(address(&all[2]), "/admin/hooks/3");
    }
}
