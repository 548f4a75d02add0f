//! Where secrets are: behind the socket of a running server, or in a data folder that none uses.
//!
//! **Invariant:** two programs never write one database: without a server the folder's lock is held.

use super::super::accounts::told;
use super::super::local;
use super::titled;
use crate::data::DataFolder;
use crate::settings::Settings;
use anyhow::bail;
use domain::page::{Page, PageQuery};
use domain::plan::document::SourceRules;
use domain::plan::view::PlanSummary;
use domain::ports::{Plans as _, Secrets as _};
use domain::secret::{KeyRotation, NewSecret, SecretValue, SecretView, SetSecret};
use domain::{PlanId, SecretId};
use engine::assembly::MASTER_KEY;
use engine::auth::vault::Vault;
use engine::clock::SystemClock;
use engine::services::access::command_line;
use engine::services::plans::PlansService;
use engine::services::secrets::SecretsService;
use engine::store::{Location, Store};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// A data folder that no server uses.
pub struct Folder {
    /// Its database.
    pub store: Store,
    /// Its master keys' file.
    pub key: PathBuf,
    _held: DataFolder,
}

impl Folder {
    /// Holds it.
    pub async fn hold(settings: &Settings) -> anyhow::Result<Self> {
        if !settings.data.is_dir() {
            let data = settings.data.display();
            bail!("there is no data folder {data}; name it with --data, or start the server first");
        }
        let held = DataFolder::hold(&settings.data)?;
        let store = Store::open(&Location::Sqlite(held.database())).await?;
        let key = held.path().join(MASTER_KEY);
        Ok(Self {
            store,
            key,
            _held: held,
        })
    }
}

/// The way in.
pub enum Way {
    /// The server's.
    Running(local::Client),
    /// The folder is held as long as the way is open.
    Folder {
        secrets: SecretsService,
        plans: PlansService,
        _folder: Folder,
    },
}

impl Way {
    /// `keys`: whether the master keys are needed. What is done without them is done also when they are lost.
    pub async fn open(settings: &Settings, keys: bool) -> anyhow::Result<Self> {
        if let Some(client) = local::Client::of(&settings.data).await? {
            return Ok(Self::Running(client));
        }
        let folder = Folder::hold(settings).await?;
        let vault = match keys {
            true => Vault::of(&folder.store, &folder.key).await?,
            false => Vault::without_keys(&folder.key),
        };
        let clock = Arc::new(SystemClock);
        Ok(Self::Folder {
            secrets: SecretsService::new(folder.store.clone(), clock.clone(), Arc::new(vault)),
            plans: PlansService::new(folder.store.clone(), clock, SourceRules { allow_local: false }),
            _folder: folder,
        })
    }

    /// All of them, by name.
    pub async fn list(&self) -> anyhow::Result<Vec<SecretView>> {
        let client = match self {
            Self::Folder { secrets, .. } => return secrets.list(&command_line()).await.map_err(told),
            Self::Running(client) => client,
        };
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/secrets?limit=200{cursor}");
            let page: Page<SecretView> = client.call("GET", &path, None).await?;
            all.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(all)
    }

    /// The plan of this name.
    async fn plan(&self, name: &str) -> anyhow::Result<Option<PlanId>> {
        let mut cursor = None;
        loop {
            let page: Page<PlanSummary> = match self {
                Self::Folder { plans, .. } => {
                    let query = PageQuery {
                        limit: Some(200),
                        cursor,
                    };
                    plans.list(&command_line(), None, query).await.map_err(told)?
                }
                Self::Running(client) => {
                    let cursor = cursor.map(|c| format!("&cursor={c}")).unwrap_or_default();
                    client
                        .call("GET", &format!("/api/v1/plans?limit=200{cursor}"), None)
                        .await?
                }
            };
            match page.items.into_iter().find(|p| p.name == name) {
                Some(plan) => return Ok(Some(plan.id)),
                None if page.next_cursor.is_none() => return Ok(None),
                None => cursor = page.next_cursor,
            }
        }
    }

    /// The secret of this name, of the project or of this plan, if there is one; and the plan.
    async fn find(&self, name: &str, plan: Option<&str>) -> anyhow::Result<(Option<SecretView>, Option<PlanId>)> {
        let all = self.list().await?;
        let Some(plan) = plan else {
            return Ok((all.into_iter().find(|s| s.name == name && s.plan.is_none()), None));
        };
        let id = self.plan(plan).await?;
        // A plan that was deleted may still have secrets.
        let its = |s: &SecretView| {
            s.plan
                .as_ref()
                .is_some_and(|p| id.map_or(p.name == plan, |id| p.id == id))
        };
        let found = all.into_iter().find(|s| s.name == name && its(s));
        if found.is_none() && id.is_none() {
            bail!("Plan `{plan}` does not exist.");
        }
        Ok((found, id))
    }

    /// Makes it, or sets it anew.
    pub async fn set(&self, name: String, plan: Option<String>, value: SecretValue) -> anyhow::Result<SecretView> {
        match self.find(&name, plan.as_deref()).await? {
            (Some(found), _) => self.set_anew(found.id, found.version, value).await,
            (None, plan_id) => self.make(name, plan_id, value).await,
        }
    }

    async fn make(&self, name: String, plan_id: Option<PlanId>, value: SecretValue) -> anyhow::Result<SecretView> {
        match self {
            Self::Running(client) => {
                let body = json!({ "name": name, "plan_id": plan_id, "value": value.0 });
                client.call("POST", "/api/v1/secrets", Some(&body)).await
            }
            Self::Folder { secrets, .. } => {
                let wish = NewSecret { name, plan_id, value };
                secrets.create(&command_line(), wish).await.map_err(told)
            }
        }
    }

    async fn set_anew(&self, id: SecretId, version: i64, value: SecretValue) -> anyhow::Result<SecretView> {
        match self {
            Self::Running(client) => {
                let body = json!({ "version": version, "value": value.0 });
                client.call("PUT", &format!("/api/v1/secrets/{id}"), Some(&body)).await
            }
            Self::Folder { secrets, .. } => {
                let wish = SetSecret { version, value };
                secrets.set(&command_line(), id, wish).await.map_err(told)
            }
        }
    }

    /// Removes it.
    pub async fn remove(&self, name: &str, plan: Option<String>) -> anyhow::Result<()> {
        let (found, _) = self.find(name, plan.as_deref()).await?;
        let Some(found) = found else {
            bail!("Secret `{}` does not exist.", titled(name, plan));
        };
        match self {
            Self::Running(client) => {
                let path = format!("/api/v1/secrets/{}", found.id);
                client.call::<Option<()>>("DELETE", &path, None).await.map(drop)
            }
            Self::Folder { secrets, .. } => secrets.delete(&command_line(), found.id).await.map_err(told),
        }
    }

    /// Makes a new master key.
    pub async fn rotate_key(&self) -> anyhow::Result<KeyRotation> {
        match self {
            Self::Running(client) => client.call("POST", "/api/v1/secrets/rotate-key", None).await,
            Self::Folder { secrets, .. } => secrets.rotate_key(&command_line()).await.map_err(told),
        }
    }
}
