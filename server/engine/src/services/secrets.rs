//! Secrets: `domain::ports::Secrets`.
//!
//! **Invariant:** a value is sealed before it is in any write; every setting and removal is audited without it.

use crate::auth::rotation;
use crate::auth::vault::{As, KeyError, Vault};
use crate::clock::SharedClock;
use crate::store::audit::Entry;
use crate::store::secrets::{self, Place, Row, Sealed};
use crate::store::{Store, fault_id};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Via, Viewer, authorize};
use domain::ports::Secrets;
use domain::secret::{
    KeyRotation, NewSecret, SecretPlan, SecretUser, SecretUserKind, SecretValue, SecretView, SetSecret, name_problem,
    value_problem,
};
use domain::{Error, PlanId, Problem, ProjectId, Result, SecretId, Timestamp};
use std::sync::Arc;

/// The service behind `Secrets`. Cheap to clone.
#[derive(Clone)]
pub struct SecretsService {
    store: Store,
    clock: SharedClock,
    vault: Arc<Vault>,
}

impl SecretsService {
    /// The service over a store and the keys.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, vault: Arc<Vault>) -> Self {
        Self { store, clock, vault }
    }

    /// Seals a value as what it is.
    pub(super) fn seal(&self, place: &Place, version: i64, value: &SecretValue) -> Result<Sealed> {
        let what = As {
            project: place.project.0,
            plan: place.plan.map(|p| p.0),
            name: &place.name,
            version,
        };
        let sealed = self.vault.seal(&mut rand::rng(), what, value.0.as_bytes());
        sealed.ok_or_else(|| {
            let id = fault_id();
            tracing::error!(fault = %id, "Fault {id}: a secret could not be sealed");
            Error::Internal(id)
        })
    }

    async fn found(&self, id: SecretId) -> Result<Row> {
        let row = secrets::one(&self.store, ProjectId::DEFAULT, id).await?;
        row.ok_or_else(|| absent(id))
    }
}

fn absent(id: SecretId) -> Error {
    Error::NotFound(format!("Secret {id}"))
}

fn view(row: Row) -> SecretView {
    SecretView {
        id: SecretId(row.id),
        name: row.name,
        plan: row
            .plan_id
            .zip(row.plan)
            .map(|(id, name)| SecretPlan { id: PlanId(id), name }),
        set_at: Timestamp(row.set_at),
        set_by: row.set_by.unwrap_or_else(|| "command line".into()),
        used_at: row.used_at.map(Timestamp),
        version: row.n,
    }
}

/// The problems of a wish; `name` only where one is given.
fn checked(name: Option<&str>, value: &SecretValue) -> Result<()> {
    let name = name.and_then(name_problem).map(|p| Problem::field("name", p));
    let value = value_problem(value).map(|p| Problem::field("value", p));
    let problems: Vec<_> = name.into_iter().chain(value).collect();
    // Also in the detail, which is all that a command shows.
    let detail: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Error::refuse(detail.join(" "), problems)
}

fn entry(viewer: &Viewer, now: Timestamp, action: &'static str, id: SecretId, name: &str) -> Entry {
    Entry::by(viewer, now, action).about("secret", id.0, name)
}

#[async_trait]
impl Secrets for SecretsService {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<SecretView>> {
        authorize(viewer, Action::Read, Scope::default_project("the secrets"))?;
        let rows = secrets::list(&self.store, ProjectId::DEFAULT).await?;
        Ok(rows.into_iter().map(view).collect())
    }

    async fn get(&self, viewer: &Viewer, id: SecretId) -> Result<SecretView> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("secret {id}")))?;
        self.found(id).await.map(view)
    }

    async fn users(&self, viewer: &Viewer, id: SecretId) -> Result<Vec<SecretUser>> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("secret {id}")))?;
        self.found(id).await?;
        let all = secrets::users(&self.store, id).await?;
        let user = |(kind, id, name): (String, i64, String)| SecretUser {
            kind: match kind.as_str() {
                "repository" => SecretUserKind::Repository,
                "rotating" => SecretUserKind::Rotating,
                _ => SecretUserKind::Hook,
            },
            id,
            name,
        };
        Ok(all.into_iter().map(user).collect())
    }

    async fn create(&self, viewer: &Viewer, wish: NewSecret) -> Result<SecretView> {
        authorize(viewer, Action::Write, Scope::default_project("the secrets"))?;
        checked(Some(&wish.name), &wish.value)?;
        if let Some(plan) = wish.plan_id
            && !self.store.has_plan(ProjectId::DEFAULT, plan).await?
        {
            return Err(Error::invalid_field("plan_id", format!("There is no plan {plan}.")));
        }
        let place = Place {
            project: ProjectId::DEFAULT,
            plan: wish.plan_id,
            name: wish.name,
        };
        let sealed = self.seal(&place, 1, &wish.value)?;
        let (who, now) = (viewer.clone(), self.clock.now());
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        let id = self
            .store
            .write(move |tx| {
                let (place, sealed, who) = (place.clone(), sealed.clone(), who.clone());
                Box::pin(async move {
                    let Some(id) = secrets::insert(tx, &place, &sealed, by, now).await? else {
                        let name = &place.name;
                        let why =
                            format!("There is a secret `{name}` already. Set that one anew, or choose another name.");
                        return Err(Error::Conflict(why).into());
                    };
                    tx.audit(entry(&who, now, "secret.create", id, &place.name)).await?;
                    Ok(id)
                })
            })
            .await?;
        self.found(id).await.map(view)
    }

    async fn set(&self, viewer: &Viewer, id: SecretId, wish: SetSecret) -> Result<SecretView> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("secret {id}")))?;
        checked(None, &wish.value)?;
        let row = self.found(id).await?;
        let present = row.n;
        let place = Place {
            project: ProjectId::DEFAULT,
            plan: row.plan_id.map(PlanId),
            name: row.name,
        };
        let n = wish.version;
        let sealed = self.seal(&place, n.saturating_add(1), &wish.value)?;
        let (who, now) = (viewer.clone(), self.clock.now());
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        self.store
            .write(move |tx| {
                let (place, sealed, who) = (place.clone(), sealed.clone(), who.clone());
                Box::pin(async move {
                    if !secrets::replace(tx, id, n, &sealed, by, now).await? {
                        let name = &place.name;
                        let why = format!(
                            "The secret `{name}` is not at version {n}: it was at {present} just now. Nothing was set. Read it again."
                        );
                        return Err(Error::Conflict(why).into());
                    }
                    tx.audit(entry(&who, now, "secret.set", id, &place.name)).await
                })
            })
            .await?;
        self.found(id).await.map(view)
    }

    async fn delete(&self, viewer: &Viewer, id: SecretId) -> Result<()> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("secret {id}")))?;
        let (who, now) = (viewer.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let who = who.clone();
                Box::pin(async move {
                    let users = secrets::used_by(tx, id).await?;
                    if !users.is_empty() {
                        let why = format!(
                            "It is in use: by {}. Give that another secret first.",
                            users.join(", by ")
                        );
                        return Err(Error::Conflict(why).into());
                    }
                    let name = secrets::remove(tx, ProjectId::DEFAULT, id).await?;
                    let name = name.ok_or_else(|| absent(id))?;
                    tx.audit(entry(&who, now, "secret.delete", id, &name)).await
                })
            })
            .await?;
        Ok(())
    }

    async fn rotate_key(&self, viewer: &Viewer) -> Result<KeyRotation> {
        authorize(viewer, Action::Administer, Scope::default_project("the master key"))?;
        let noted = Entry {
            object: Some("master key"),
            ..Entry::by(viewer, self.clock.now(), "secret.rotate_key")
        };
        let done = rotation::rotate(&self.store, &self.vault, noted).await;
        done.map_err(|e| match e {
            KeyError::Database(e) => e.public(),
            e => Error::Unavailable(format!("The master key was not changed: {e}.")),
        })
    }
}
