//! Repositories: `domain::ports::Repositories`.
//!
//! **Invariant:** what opens one is a secret of the project; how it is was learnt by asking it.

mod users;

use super::secrets::SecretsService;
use crate::auth::secret::code;
use crate::clock::SharedClock;
use crate::notify::sent;
use crate::outgoing::Fault;
use crate::outgoing::git::{Git, Remote};
use crate::remotes::Remotes;
use crate::store::audit::Entry;
use crate::store::repositories::{self, RepositoryChange};
use crate::store::secrets::{Place, Sealed};
use crate::store::{Error as StoreError, NewEvent, Store, Tx, secrets, tasks};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Via, Viewer, authorize};
use domain::forge::SentStatus;
use domain::health::Health;
use domain::ports::Repositories;
use domain::repository::{
    Connection, NewRepository, PutRepository, RepositoryUser, RepositoryView, problems, provider_of,
};
use domain::secret::{SecretValue, value_problem};
use domain::{Error, PlanId, Problem, ProjectId, RepositoryId, Result, SecretId, TaskId, Timestamp, UserId};
use serde_json::json;

/// Branches that a test of a connection names.
const BRANCHES: usize = 20;

/// The service behind `Repositories`. Cheap to clone.
#[derive(Clone)]
pub struct RepositoriesService {
    store: Store,
    clock: SharedClock,
    secrets: SecretsService,
    remotes: Remotes,
    git: Git,
    allow_local: bool,
}

impl RepositoriesService {
    /// The service over a store, secrets, and what asks repositories. `allow_local` as of sources.
    #[must_use]
    pub fn new(
        store: Store,
        clock: SharedClock,
        secrets: SecretsService,
        remotes: Remotes,
        git: Git,
        allow_local: bool,
    ) -> Self {
        Self {
            store,
            clock,
            secrets,
            remotes,
            git,
            allow_local,
        }
    }

    async fn found(&self, id: RepositoryId) -> Result<RepositoryView> {
        repositories::one(&self.store, ProjectId::DEFAULT, id)
            .await?
            .ok_or_else(|| absent(id))
    }

    /// What is wrong with a change, all of it.
    async fn checked(&self, change: &RepositoryChange) -> Result<Vec<Problem>> {
        let mut found = problems(&change.name, &change.url, change.api.as_deref(), self.allow_local);
        if let Some(id) = change.secret
            && secrets::one(&self.store, ProjectId::DEFAULT, id).await?.is_none()
        {
            found.push(Problem::field("secret_id", format!("There is no secret {id}.")));
        }
        Ok(found)
    }

    /// Seals what opens a repository.
    fn sealed(&self, name: &str, value: &SecretValue) -> Result<(Place, Sealed)> {
        if let Some(why) = value_problem(value) {
            return Err(Error::invalid_field("secret", why));
        }
        let place = Place {
            project: ProjectId::DEFAULT,
            plan: None,
            name: secret_name(name),
        };
        let sealed = self.secrets.seal(&place, 1, value)?;
        Ok((place, sealed))
    }

    /// What opens a repository, sealed so that it can take the place of the secret it has, and so that it can stand beside it.
    async fn anew(&self, of: &RepositoryChange, value: &SecretValue) -> Result<Fresh> {
        let row = match of.secret {
            Some(id) => secrets::one(&self.store, ProjectId::DEFAULT, id).await?,
            None => None,
        };
        let over = match row {
            Some(row) => {
                let place = Place {
                    project: ProjectId::DEFAULT,
                    plan: row.plan_id.map(PlanId),
                    name: row.name,
                };
                let sealed = self.secrets.seal(&place, row.n.saturating_add(1), value)?;
                Some((SecretId(row.id), row.n, place, sealed))
            }
            None => None,
        };
        let plain = secret_name(&of.name);
        let other = format!("{plain}_{}", code(&mut rand::rng()).to_uppercase());
        let beside = [plain, other].into_iter().map(|name| {
            let place = Place {
                project: ProjectId::DEFAULT,
                plan: None,
                name,
            };
            let sealed = self.secrets.seal(&place, 1, value)?;
            Ok((place, sealed))
        });
        Ok(Fresh {
            over,
            beside: beside.collect::<Result<_>>()?,
        })
    }

    async fn ask(&self, remote: &Remote) -> std::result::Result<Connection, Fault> {
        let refs = self.git.refs(remote).await?;
        let branches: Vec<String> = refs
            .iter()
            .filter_map(|r| r.name.strip_prefix("refs/heads/"))
            .map(str::to_owned)
            .collect();
        let tags = refs.iter().filter(|r| r.name.starts_with("refs/tags/")).count();
        // An empty repository has no head, and is fine all the same.
        let head = self.git.head(remote, None).await.ok().and_then(|h| h.branch);
        let many = |n: usize, one: &str, more: &str| {
            if n == 1 {
                format!("1 {one}")
            } else {
                format!("{n} {more}")
            }
        };
        let said = format!(
            "It was read: {} and {}.",
            many(branches.len(), "branch", "branches"),
            many(tags, "tag", "tags")
        );
        Ok(Connection {
            health: Health::Healthy,
            said,
            default_branch: head,
            branches: branches.into_iter().take(BRANCHES).collect(),
        })
    }
}

/// What opens a repository from now on.
#[derive(Clone)]
struct Fresh {
    /// As the next value of the secret it has: its id, its number, itself.
    over: Option<(SecretId, i64, Place, Sealed)>,
    /// As a secret of its own, under the first name that is free.
    beside: Vec<(Place, Sealed)>,
}

/// Writes what opens a repository: over the secret it has where nothing else uses that, else beside it.
async fn opened_by(
    tx: &mut Tx,
    id: RepositoryId,
    fresh: &Fresh,
    viewer: &Viewer,
    by: Option<UserId>,
    now: Timestamp,
) -> crate::store::Result<SecretId> {
    if let Some((secret, n, place, sealed)) = &fresh.over
        && repositories::alone_has(tx, id, *secret).await?
        && secrets::replace(tx, *secret, *n, sealed, by, now).await?
    {
        tx.audit(Entry::by(viewer, now, "secret.set").about("secret", secret.0, &place.name))
            .await?;
        return Ok(*secret);
    }
    for (place, sealed) in &fresh.beside {
        if let Some(secret) = secrets::insert(tx, place, sealed, by, now).await? {
            tx.audit(Entry::by(viewer, now, "secret.create").about("secret", secret.0, &place.name))
                .await?;
            return Ok(secret);
        }
    }
    let name = fresh.beside.first().map_or("", |(place, _)| place.name.as_str());
    Err(secret_taken(name))
}

fn absent(id: RepositoryId) -> Error {
    Error::NotFound(format!("Repository {id}"))
}

fn taken(name: &str) -> StoreError {
    Error::Conflict(format!("There is a repository `{name}` already. Choose another name.")).into()
}

fn secret_taken(name: &str) -> StoreError {
    let why = format!("There is a secret `{name}` already. Give its id as `secret_id`, or remove it first.");
    Error::Conflict(why).into()
}

/// The name of the secret that is made for a repository.
fn secret_name(name: &str) -> String {
    let of = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("REPOSITORY_{}", name.chars().take(80).map(of).collect::<String>())
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|t| t.trim().trim_end_matches('/').to_owned())
        .filter(|t| !t.is_empty())
}

fn entry(viewer: &Viewer, now: Timestamp, action: &'static str, id: RepositoryId, name: &str) -> Entry {
    Entry::by(viewer, now, action).about("repository", id.0, name)
}

fn saved(tx: &mut Tx, id: RepositoryId, now: Timestamp) {
    tx.emit(NewEvent::about("repository", id.0, "repository.saved", now, json!({})));
}

#[async_trait]
impl Repositories for RepositoriesService {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<RepositoryView>> {
        authorize(viewer, Action::Read, Scope::default_project("the repositories"))?;
        Ok(repositories::list(&self.store, ProjectId::DEFAULT).await?)
    }

    async fn get(&self, viewer: &Viewer, id: RepositoryId) -> Result<RepositoryView> {
        authorize(
            viewer,
            Action::Read,
            Scope::default_project(&format!("repository {id}")),
        )?;
        self.found(id).await
    }

    async fn create(&self, viewer: &Viewer, wish: NewRepository) -> Result<RepositoryView> {
        authorize(viewer, Action::Write, Scope::default_project("the repositories"))?;
        let change = RepositoryChange {
            provider: wish.provider.unwrap_or_else(|| provider_of(&wish.url)),
            name: wish.name,
            url: wish.url,
            api: filled(wish.api),
            secret: wish.secret_id,
        };
        let mut found = self.checked(&change).await?;
        if wish.secret.is_some() && wish.secret_id.is_some() {
            found.push(Problem::field("secret", "Give a secret or the id of one, not both."));
        }
        Error::refuse("The repository was not made.", found)?;
        let secret = wish.secret.map(|value| self.sealed(&change.name, &value)).transpose()?;
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        let (viewer, now) = (viewer.clone(), self.clock.now());
        let id = self
            .store
            .write(move |tx| {
                let (mut change, viewer, secret) = (change.clone(), viewer.clone(), secret.clone());
                Box::pin(async move {
                    if let Some((place, sealed)) = &secret {
                        let made = secrets::insert(tx, place, sealed, by, now).await?;
                        let secret = made.ok_or_else(|| secret_taken(&place.name))?;
                        tx.audit(Entry::by(&viewer, now, "secret.create").about("secret", secret.0, &place.name))
                            .await?;
                        change.secret = Some(secret);
                    }
                    let made = repositories::insert(tx, ProjectId::DEFAULT, &change, now).await?;
                    let id = made.ok_or_else(|| taken(&change.name))?;
                    saved(tx, id, now);
                    tx.audit(entry(&viewer, now, "repository.create", id, &change.name))
                        .await?;
                    Ok(id)
                })
            })
            .await?;
        self.found(id).await
    }

    async fn save(&self, viewer: &Viewer, id: RepositoryId, wish: PutRepository) -> Result<RepositoryView> {
        authorize(
            viewer,
            Action::Write,
            Scope::default_project(&format!("repository {id}")),
        )?;
        let present = self.found(id).await?;
        let change = RepositoryChange {
            name: wish.name.unwrap_or_else(|| present.name.clone()),
            url: wish.url.unwrap_or_else(|| present.url.clone()),
            provider: wish.provider.unwrap_or(present.provider),
            api: wish.api.map_or_else(|| present.api.clone(), |api| filled(Some(api))),
            secret: match wish.secret_id {
                Some(SecretId(0)) => None,
                Some(secret) => Some(secret),
                None => present.secret_id,
            },
        };
        let mut found = self.checked(&change).await?;
        if wish.secret.is_some() && wish.secret_id.is_some() {
            found.push(Problem::field("secret", "Give a secret or the id of one, not both."));
        }
        if let Some(why) = wish.secret.as_ref().and_then(value_problem) {
            found.push(Problem::field("secret", why));
        }
        Error::refuse("The repository was not saved.", found)?;
        let value = wish.secret;
        let fresh = match &value {
            Some(value) => Some(self.anew(&change, value).await?),
            None => None,
        };
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        let (viewer, now, version) = (viewer.clone(), self.clock.now(), wish.version);
        self.store
            .write(move |tx| {
                let (mut change, viewer, present) = (change.clone(), viewer.clone(), present.clone());
                let fresh = fresh.clone();
                Box::pin(async move {
                    if let Some(fresh) = &fresh {
                        change.secret = Some(opened_by(tx, id, fresh, &viewer, by, now).await?);
                    }
                    let other = repositories::named(tx, ProjectId::DEFAULT, &change.name).await?;
                    if other.is_some_and(|other| other != id) {
                        return Err(taken(&change.name));
                    }
                    if !repositories::update(tx, id, version, &change).await? {
                        let why = format!(
                            "{} was changed meanwhile (version {} now, {version} when you read it). Nothing was saved; read it again.",
                            present.name, present.version
                        );
                        return Err(Error::Conflict(why).into());
                    }
                    saved(tx, id, now);
                    tx.audit(entry(&viewer, now, "repository.save", id, &change.name)).await
                })
            })
            .await?;
        self.found(id).await
    }

    async fn delete(&self, viewer: &Viewer, id: RepositoryId) -> Result<()> {
        authorize(
            viewer,
            Action::Write,
            Scope::default_project(&format!("repository {id}")),
        )?;
        let (viewer, now) = (viewer.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let viewer = viewer.clone();
                Box::pin(async move {
                    let users = repositories::used_by(tx, id).await?;
                    if !users.is_empty() {
                        let why = format!(
                            "It is in use: by {}. Give that another repository first.",
                            users.join(", by ")
                        );
                        return Err(Error::Conflict(why).into());
                    }
                    let name = repositories::remove(tx, ProjectId::DEFAULT, id)
                        .await?
                        .ok_or_else(|| absent(id))?;
                    saved(tx, id, now);
                    tx.audit(entry(&viewer, now, "repository.delete", id, &name)).await
                })
            })
            .await?;
        Ok(())
    }

    async fn users(&self, viewer: &Viewer, id: Option<RepositoryId>) -> Result<Vec<RepositoryUser>> {
        authorize(viewer, Action::Read, Scope::default_project("the repositories"))?;
        let of = match id {
            Some(id) => vec![self.found(id).await?],
            None => repositories::list(&self.store, ProjectId::DEFAULT).await?,
        };
        Ok(users::users(&self.store, ProjectId::DEFAULT, &of).await?)
    }

    async fn statuses(&self, viewer: &Viewer, id: RepositoryId) -> Result<Vec<SentStatus>> {
        authorize(
            viewer,
            Action::Read,
            Scope::default_project(&format!("repository {id}")),
        )?;
        self.found(id).await?;
        Ok(sent::of_repository(&self.store, id).await?)
    }

    async fn statuses_of(&self, viewer: &Viewer, task: TaskId) -> Result<Vec<SentStatus>> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("task #{task}")))?;
        let found = sent::of_task(&self.store, task).await?;
        if found.is_empty() && tasks::snapshot(&self.store, task).await?.is_none() {
            return Err(Error::NotFound(format!("Task #{task}")));
        }
        Ok(found)
    }

    async fn test(&self, viewer: &Viewer, id: RepositoryId) -> Result<Connection> {
        authorize(
            viewer,
            Action::Write,
            Scope::default_project(&format!("repository {id}")),
        )?;
        let repository = self.found(id).await?;
        let found = match self.remotes.of(&repository).await? {
            Ok(remote) => self.ask(&remote).await.unwrap_or_else(|fault| Connection {
                health: fault.health(),
                said: fault.sentence,
                default_branch: None,
                branches: Vec::new(),
            }),
            Err(shut) => Connection {
                health: Health::Unauthorised,
                said: shut.words().into(),
                default_branch: None,
                branches: Vec::new(),
            },
        };
        let (health, now) = (found.health, self.clock.now());
        let said = Some(found.said.clone()).filter(|_| health != Health::Healthy);
        self.store
            .write(move |tx| {
                let said = said.clone();
                Box::pin(async move { repositories::asked(tx, id, health, said.as_deref(), now).await })
            })
            .await?;
        Ok(found)
    }
}
