//! Server functions of repositories.
//!
//! **Invariant:** each gets the viewer, calls its ports and returns; what opens a repository is in arguments alone.

use super::view::{Draft, RepositoriesView, RepositoryForm, RepositoryPage};
use crate::error::Result;
use domain::RepositoryId;
use domain::forge::SentStatus;
use domain::repository::Connection;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Where repositories are listed.
pub const LIST: &str = "/admin/repositories";

/// All repositories, with what has to do with each.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "repositories/list", protocol = crate::wire::Get)]
pub async fn list_repositories() -> Result<RepositoriesView> {
    use super::view::RepositoryRow;
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    let ports = &visit.ports;
    // The number first: news that come between the reads are then heard again, never missed.
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let mut all = ports.repositories.list(&viewer).await.map_err(crate::Error::respond)?;
    all.sort_by_key(|r| r.name.to_lowercase());
    let users = ports
        .repositories
        .users(&viewer, None)
        .await
        .map_err(crate::Error::respond)?;
    let row = |repository: domain::repository::RepositoryView| RepositoryRow {
        users: users
            .iter()
            .filter(|u| u.repository_id == repository.id)
            .cloned()
            .collect(),
        repository,
    };
    Ok(RepositoriesView {
        seq,
        now: visit.now,
        rows: all.into_iter().map(row).collect(),
    })
}

/// One repository with what has to do with it; `tested` is where a test's result lies.
///
/// # Errors
/// What the ports say.
#[server(prefix = "/ui", endpoint = "repositories/get", protocol = crate::wire::Get)]
pub async fn get_repository(repository: RepositoryId, #[server(default)] tested: u64) -> Result<RepositoryPage> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    let ports = &visit.ports;
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let of = &ports.repositories;
    let found = of.get(&viewer, repository).await.map_err(crate::Error::respond)?;
    let secret = match found.secret_id {
        // One that is gone meanwhile is told as none.
        Some(id) => ports.secrets.get(&viewer, id).await.ok().map(|s| (s.id, s.name)),
        None => None,
    };
    let users = of
        .users(&viewer, Some(repository))
        .await
        .map_err(crate::Error::respond)?;
    let statuses = of.statuses(&viewer, repository).await.map_err(crate::Error::respond)?;
    Ok(RepositoryPage {
        seq,
        now: visit.now,
        repository: found,
        secret,
        users,
        statuses,
        tested: crate::shelf::look(viewer.user, &format!("{LIST}/{repository}"), tested),
    })
}

/// The form of a new repository, empty or as it was refused.
///
/// # Errors
/// `Unauthenticated`; `Forbidden` for those who may not write repositories.
#[server(prefix = "/ui", endpoint = "repositories/new", protocol = crate::wire::Get)]
pub async fn get_new_repository(#[server(default)] draft: u64) -> Result<RepositoryForm> {
    form(None, String::new(), Draft::default(), draft).await
}

/// The form of a repository that is there, as it is or as it was refused.
///
/// # Errors
/// What the port says; `Forbidden` for those who may not write repositories.
#[server(prefix = "/ui", endpoint = "repositories/edit", protocol = crate::wire::Get)]
pub async fn get_edit_repository(repository: RepositoryId, #[server(default)] draft: u64) -> Result<RepositoryForm> {
    use crate::context::{ports, viewer};
    let found = ports()?.repositories.get(&viewer()?, repository).await;
    let found = found.map_err(crate::Error::respond)?;
    let present = Draft {
        version: found.version,
        name: found.name.clone(),
        url: found.url,
        provider: found.provider.as_str().into(),
        api: found.api.unwrap_or_default(),
        opens: found.secret_id.map(|id| id.to_string()).unwrap_or_default(),
    };
    form(Some(repository), found.name, present, draft).await
}

#[cfg(feature = "ssr")]
async fn form(id: Option<RepositoryId>, name: String, present: Draft, number: u64) -> Result<RepositoryForm> {
    use crate::context::{ports, viewer};
    use domain::auth::{Action, Scope, authorize};
    let (ports, viewer) = (ports()?, viewer()?);
    authorize(&viewer, Action::Write, Scope::default_project("the repositories")).map_err(crate::Error::respond)?;
    let secrets = ports.secrets.list(&viewer).await.map_err(crate::Error::respond)?;
    let secrets = secrets.into_iter().filter(|s| s.plan.is_none()).map(|s| (s.id, s.name));
    let kept = crate::shelf::look::<(Draft, crate::Error)>(viewer.user, &page_of(id), number);
    let (draft, refused) = match kept {
        // Whoever saves again after a refusal does it over what stands there now; the page has said so.
        Some((draft, refused)) => {
            let version = present.version;
            (Draft { version, ..draft }, Some(refused))
        }
        None => (present, None),
    };
    Ok(RepositoryForm {
        id,
        name,
        draft,
        refused,
        secrets: secrets.collect(),
    })
}

/// The page of a form.
#[cfg(feature = "ssr")]
fn page_of(id: Option<RepositoryId>) -> String {
    match id {
        Some(id) => format!("{LIST}/{id}/edit"),
        None => format!("{LIST}/new"),
    }
}

/// Makes a repository, or saves one, and leads to it. `value` is what opens it from now on; it is not sent back.
///
/// # Errors
/// What the port says. Without a script the form comes back with what was typed.
#[server(prefix = "/ui", endpoint = "repositories/save", protocol = crate::wire::Post)]
pub async fn save_repository(
    #[server(default)] repository: i64,
    draft: Draft,
    #[server(default)] value: String,
) -> Result<()> {
    use crate::context::{ports, viewer, wants_html};
    use domain::SecretId;
    use domain::repository::{NewRepository, PutRepository};
    use domain::secret::{SecretValue, without_line_end};
    let (ports, viewer) = (ports()?, viewer()?);
    let id = (repository > 0).then_some(RepositoryId(repository));
    let value = value.replace("\r\n", "\n");
    let value = Some(without_line_end(&value).to_owned())
        .filter(|v| !v.trim().is_empty())
        .map(SecretValue);
    let draft = Draft {
        name: draft.name.trim().to_owned(),
        url: draft.url.trim().to_owned(),
        ..draft
    };
    let (name, url, api) = (draft.name.clone(), draft.url.clone(), Some(draft.api.clone()));
    let (provider, chosen) = (draft.provider.parse().ok(), draft.opens.parse().unwrap_or(0));
    let done = match id {
        None => {
            let wish = NewRepository {
                name,
                url,
                provider,
                api,
                secret_id: (chosen > 0 && value.is_none()).then_some(SecretId(chosen)),
                secret: value,
            };
            ports.repositories.create(&viewer, wish).await
        }
        Some(id) => {
            let wish = PutRepository {
                version: draft.version,
                name: Some(name),
                provider: Some(provider.unwrap_or_else(|| domain::repository::provider_of(&url))),
                url: Some(url),
                api,
                secret_id: value.is_none().then_some(SecretId(chosen)),
                secret: value,
            };
            ports.repositories.save(&viewer, id, wish).await
        }
    };
    match done {
        Ok(saved) => {
            leptos_axum::redirect(&format!("{LIST}/{}", saved.id));
            Ok(())
        }
        Err(e) if wants_html() => {
            let page = page_of(id);
            let number = crate::shelf::put(viewer.user, &page, &(draft, crate::Error::Domain(e)));
            leptos_axum::redirect(&format!("{page}?draft={number}"));
            Ok(())
        }
        Err(e) => Err(crate::Error::respond(e)),
    }
}

/// Asks a repository for its branches and tags, and says what git said. Stays on the page.
///
/// # Errors
/// What the port says; that it cannot be read is no error.
#[server(prefix = "/ui", endpoint = "repositories/test", protocol = crate::wire::Post)]
pub async fn test_repository(repository: RepositoryId) -> Result<Connection> {
    use crate::context::{ports, viewer, wants_html};
    let viewer = viewer()?;
    let found = ports()?.repositories.test(&viewer, repository).await;
    let found = found.map_err(crate::Error::respond)?;
    if wants_html() {
        let page = format!("{LIST}/{repository}");
        let number = crate::shelf::put(viewer.user, &page, &found);
        leptos_axum::redirect(&format!("{page}?tested={number}"));
    }
    Ok(found)
}

/// Removes a repository and leads to the list.
///
/// # Errors
/// What the port says: `Conflict` while something names it.
#[server(prefix = "/ui", endpoint = "repositories/remove", protocol = crate::wire::Post)]
pub async fn remove_repository(repository: RepositoryId) -> Result<()> {
    use crate::context::{ports, viewer};
    let removed = ports()?.repositories.delete(&viewer()?, repository).await;
    removed.map_err(crate::Error::respond)?;
    leptos_axum::redirect(LIST);
    Ok(())
}

/// What forges were told of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatuses {
    /// The newest of each repository, then those before.
    pub sent: Vec<SentStatus>,
}

/// What forges were told of a task, or are to be.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tasks/statuses", protocol = crate::wire::Get)]
pub async fn statuses_of_task(task: domain::TaskId) -> Result<TaskStatuses> {
    use crate::context::{ports, viewer};
    let sent = ports()?.repositories.statuses_of(&viewer()?, task).await;
    Ok(TaskStatuses {
        sent: sent.map_err(crate::Error::respond)?,
    })
}
