//! What has to do with a repository: triggers that look at it, plans whose source it is, hooks that are delivered to for it.
//!
//! **Invariant:** what names the repository itself is told apart from what only has a URL of the same place.

use crate::store::repositories::{looking, sources};
use crate::store::{Result, Store};
use domain::repository::{RepositoryUser, RepositoryUserKind, RepositoryView, same_place};
use domain::{ProjectId, RepositoryId};
use serde::Deserialize;
use std::collections::HashSet;

/// What of a trigger's configuration names a place.
#[derive(Default, Deserialize)]
struct Place {
    #[serde(default)]
    git: Option<String>,
}

/// Those of each of these, by kind and name.
///
/// # Errors
/// When the database fails.
pub async fn users(store: &Store, project: ProjectId, of: &[RepositoryView]) -> Result<Vec<RepositoryUser>> {
    let (plans, triggers) = (sources(store, project).await?, looking(store, project).await?);
    let mut found = Vec::new();
    for repository in of {
        let id = repository.id;
        let user = |kind, user: i64, name: &str, named| RepositoryUser {
            repository_id: id,
            kind,
            id: user,
            name: name.to_owned(),
            named,
        };
        let here: HashSet<i64> = plans
            .iter()
            .filter(|p| same_place(&p.git, &repository.url))
            .map(|p| p.id)
            .collect();
        let is = |other: Option<i64>| other.map(RepositoryId) == Some(id);
        let mut hooks = HashSet::new();
        for t in &triggers {
            let named = is(t.repository_id);
            let place: Place = serde_json::from_str(&t.config).unwrap_or_default();
            if named || place.git.is_some_and(|git| same_place(&git, &repository.url)) {
                found.push(user(RepositoryUserKind::Trigger, t.id, &t.name, named));
            }
            let named = is(t.hook_repository_id);
            if let (Some(hook), Some(name)) = (t.hook_id, &t.hook)
                && (named || here.contains(&t.plan_id))
                && hooks.insert(hook)
            {
                found.push(user(RepositoryUserKind::Hook, hook, name, named));
            }
        }
        let of_it = plans.iter().filter(|p| here.contains(&p.id));
        found.extend(of_it.map(|p| user(RepositoryUserKind::Plan, p.id, &p.name, false)));
    }
    found.sort_by(|a, b| (a.repository_id, a.kind, &a.name).cmp(&(b.repository_id, b.kind, &b.name)));
    Ok(found)
}
