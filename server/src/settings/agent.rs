//! Settings of `caracal agent`, by the same ranks as those of the server.
//!
//! **Invariant:** what can be wrong with them is told before anything is connected to.

use super::{GlobalFlags, ServeFlags, Settings, Sources, settings_file};
use agent::address::Address;
use anyhow::{Context as _, anyhow};
use clap::Args;
use domain::agent::{check_name, parse_labels};
use domain::label::Labels;
use std::path::PathBuf;

/// Flags of `agent`.
#[derive(Debug, Clone, Default, Args)]
pub struct AgentFlags {
    /// The server, as https://ci.example.org
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// A registration token; needed the first time alone
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How steps run: auto, docker or process [default: auto]
    #[arg(long, value_name = "KIND")]
    pub executor: Option<String>,
    /// Jobs it runs at once [default: cores, at least 2]
    #[arg(long, value_name = "N")]
    pub slots: Option<String>,
    /// A label it offers, beside os, arch, hostname and engine; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// Its name [default: the host's, with a number where that is taken]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Certificates of authorities to trust beside those of the system, PEM
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl AgentFlags {
    /// Those it shares with the built-in agent.
    #[must_use]
    pub fn shared(&self) -> ServeFlags {
        ServeFlags {
            executor: self.executor.clone(),
            slots: self.slots.clone(),
            ..ServeFlags::default()
        }
    }
}

/// What an agent is started with, beside what it shares with the built-in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Data folder, executor, slots and what else a built-in agent has.
    pub shared: Settings,
    /// The server.
    pub server: Address,
    /// The registration token.
    pub token: Option<String>,
    /// The name it must have.
    pub name: Option<String>,
    /// Its labels.
    pub labels: Labels,
    /// Authorities beside those of the system.
    pub ca: Option<PathBuf>,
}

impl AgentSettings {
    /// Settings from flags, the process's environment and the file they name.
    ///
    /// # Errors
    /// One sentence that names the setting and what it should be.
    pub fn of_process(global: &GlobalFlags, flags: &AgentFlags) -> anyhow::Result<Self> {
        Self::resolve(global, flags, &|name| {
            std::env::var(name).ok().filter(|v| !v.is_empty())
        })
    }

    /// Settings from flags, an environment and the file they name.
    ///
    /// # Errors
    /// As `of_process`.
    pub fn resolve(
        global: &GlobalFlags,
        flags: &AgentFlags,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let shared = Settings::resolve(global, &flags.shared(), env)?;
        let (file, shown) = settings_file(global, env)?;
        let from = Sources {
            env,
            file: &file,
            shown,
        };
        let (server, place) = from
            .find("server", flags.server.clone())
            .context("--server is missing: the address of the server, as https://ci.example.org")?;
        let server = Address::parse(&server).with_context(|| place)?;
        let given = (!flags.labels.is_empty()).then(|| flags.labels.join("\n"));
        let labels = match from.find("labels", given) {
            Some((text, place)) => parse_labels(&text).map_err(|why| anyhow!("{place}: {why}"))?,
            None => Labels::new(),
        };
        let name = from.find("name", flags.name.clone());
        if let Some((name, place)) = &name {
            check_name(name.trim()).map_err(|why| anyhow!("{place}: {why}"))?;
        }
        let ca = from.find("ca", flags.ca.as_deref().map(super::shown_path));
        Ok(Self {
            shared,
            server,
            token: from
                .find("token", flags.token.clone())
                .map(|(t, _)| t.trim().to_owned()),
            name: name.map(|(n, _)| n.trim().to_owned()),
            labels,
            ca: ca.map(|(path, _)| path.into()),
        })
    }
}
