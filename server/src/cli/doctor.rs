//! `caracal doctor`: what is right and wrong with this machine, for a server or an agent.
//!
//! **Invariant:** one line a finding, broken ones marked so; exit code 1 when something does not work.

use crate::settings::Settings;
use ::agent::Choice;
use ::agent::address::Address;
use ::agent::doctor::{self, Health};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags of `doctor`.
#[derive(Debug, Clone, Default, Args)]
pub struct DoctorFlags {
    /// The server of an agent on this machine: whether it answers, and whether the clocks agree
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Authorities to trust beside the system's, as `caracal agent --ca`
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Looks, and tells.
pub async fn run(settings: Settings, flags: DoctorFlags) -> anyhow::Result<ExitCode> {
    let mut found = doctor::machine(&settings.data, settings.step_user.as_deref());
    if !matches!(settings.executor, Choice::Process | Choice::Scripted) {
        found.extend(doctor::containers(&settings.data, settings.executor == Choice::Docker).await);
    }
    if let Some(server) = &flags.server {
        let address = Address::parse(server)?;
        found.push(doctor::clock(&address.url, flags.ca.as_deref()).await);
    }
    for one in &found {
        let mark = match one.health {
            Health::Fine => "ok    ",
            Health::Weak => "weak  ",
            Health::Broken => "BROKEN",
        };
        println!("{mark}  {:<12}  {}", one.about, one.sentence);
    }
    let broken = found.iter().any(|f| f.health == Health::Broken);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
