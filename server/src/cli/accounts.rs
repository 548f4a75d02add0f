//! `caracal user` and `caracal token`: over the socket of a running server, else straight in the data folder.
//!
//! **Invariant:** two programs never write one database: without a server the folder's lock is held.

use super::local;
use super::{TokenCommand, UserCommand};
use crate::data::DataFolder;
use crate::settings::Settings;
use anyhow::{Context as _, anyhow, bail};
use domain::Error;
use domain::auth::{Role, TokenScope};
use domain::page::Page;
use domain::ports::{Access as _, NewToken, UserView};
use engine::clock::SystemClock;
use engine::services::access::{AccessService, command_line};
use engine::services::agents::AgentTokens;
use engine::store::{Location, Store};
use serde_json::json;
use std::io::Read as _;
use std::sync::Arc;

/// Runs a `user` command.
pub async fn user(settings: &Settings, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { name, role, .. } => {
            let password = password()?;
            // On a machine without a terminal this is the first thing done, so it may make the folder.
            let user = Door::open(settings, true).await?.add_user(name, password, role).await?;
            println!("{} {}", user.name, role);
        }
        UserCommand::List => {
            for u in Door::open(settings, false).await?.users().await? {
                let role = u.role.map_or("-", Role::as_str);
                let state = if u.disabled_at.is_some() { " disabled" } else { "" };
                println!("{} {role}{state}", u.name);
            }
        }
    }
    Ok(())
}

/// Runs a `token` command.
pub async fn token(settings: &Settings, command: TokenCommand) -> anyhow::Result<()> {
    let TokenCommand::Create { user, name, scopes } = command;
    let token = Door::open(settings, false)
        .await?
        .create_token(user, name, scopes)
        .await?;
    // Alone, so that it can be captured.
    println!("{token}");
    Ok(())
}

/// The first line of standard input.
fn password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .context("the password cannot be read from standard input")?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(line.to_owned())
}

/// The way in.
pub(super) enum Door {
    Running(local::Client),
    /// The folder is held as long as the door is open.
    Folder {
        service: Box<AccessService>,
        agent_tokens: AgentTokens,
        _held: DataFolder,
    },
}

impl Door {
    pub(super) async fn open(settings: &Settings, make: bool) -> anyhow::Result<Self> {
        if let Some(client) = local::Client::of(&settings.data).await? {
            return Ok(Self::Running(client));
        }
        if !make && !settings.data.is_dir() {
            let data = settings.data.display();
            bail!("there is no data folder {data}; name it with --data, or start the server first");
        }
        let folder = DataFolder::hold(&settings.data)?;
        let store = Store::open(&Location::Sqlite(folder.database())).await?;
        let agent_tokens = AgentTokens::new(store.clone(), Arc::new(SystemClock));
        let service = AccessService::new(store, Arc::new(SystemClock), folder.path());
        Ok(Self::Folder {
            service: Box::new(service),
            agent_tokens,
            _held: folder,
        })
    }

    async fn add_user(&self, name: String, password: String, role: Role) -> anyhow::Result<UserView> {
        match self {
            Self::Running(client) => {
                let body = json!({ "name": name, "password": password, "role": role });
                client.call("POST", "/api/v1/users", Some(&body)).await
            }
            Self::Folder { service, .. } => service
                .add_user(&command_line(), name, password, role)
                .await
                .map_err(told),
        }
    }

    async fn users(&self) -> anyhow::Result<Vec<UserView>> {
        let Self::Running(client) = self else {
            let Self::Folder { service, .. } = self else {
                return Ok(Vec::new());
            };
            return service.users(&command_line()).await.map_err(told);
        };
        let (mut all, mut path) = (Vec::new(), "/api/v1/users?limit=200".to_owned());
        loop {
            let page: Page<UserView> = client.call("GET", &path, None).await?;
            all.extend(page.items);
            match page.next_cursor {
                Some(cursor) => path = format!("/api/v1/users?limit=200&cursor={cursor}"),
                None => return Ok(all),
            }
        }
    }

    async fn create_token(&self, user: String, name: String, scopes: Vec<TokenScope>) -> anyhow::Result<String> {
        match self {
            Self::Running(client) => {
                let body = json!({ "user": user, "name": name, "scopes": scopes });
                let made: NewToken = client.call("POST", "/api/v1/tokens", Some(&body)).await?;
                Ok(made.token)
            }
            Self::Folder { service, .. } => {
                let made = service
                    .create_token(&command_line(), Some(user), name, scopes, None)
                    .await
                    .map_err(told)?;
                Ok(made.token)
            }
        }
    }
}

pub(super) fn told(e: Error) -> anyhow::Error {
    anyhow!("{e}")
}
