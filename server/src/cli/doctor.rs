//! `caracal doctor`: what is right and wrong with this machine, for a server or an agent.
//!
//! **Invariant:** one line a finding, broken ones marked so; exit code 1 when something does not work.

use crate::settings::Settings;
use ::agent::Choice;
use ::agent::address::Address;
use ::agent::doctor::{self, Finding, Health};
use clap::Args;
use engine::assembly::MASTER_KEY;
use engine::auth::vault::{KeyError, Vault};
use engine::store::secrets::keys_in;
use std::path::{Path, PathBuf};
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
    found.push(master_key(&settings.data).await);
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

/// The file that secrets are sealed with: there and private, with every key that is in use.
async fn master_key(data: &Path) -> Finding {
    let (file, database) = (data.join(MASTER_KEY), data.join("caracal.db"));
    let shown = file.display();
    let finding = |health, sentence: String| Finding::new("master key", health, sentence);
    let used = match database.is_file() {
        true => keys_in(&database).await,
        false => Ok(Vec::new()),
    };
    let used = match used {
        Ok(used) => used,
        Err(e) => return finding(Health::Broken, format!("{} cannot be read: {e}.", database.display())),
    };
    let vault = match Vault::present(&file) {
        Ok(vault) => vault,
        Err(e @ KeyError::Open(_)) => return finding(Health::Broken, format!("{e}: chmod 600 {shown}")),
        Err(e) => return finding(Health::Broken, format!("{e}.")),
    };
    if let Some((key, _)) = used.iter().find(|(key, _)| !vault.has(key)) {
        let missing = KeyError::Missing(key.clone(), file.clone());
        return finding(Health::Broken, format!("{missing}."));
    }
    let newest = vault.key_id();
    let behind: i64 = used.iter().filter(|(key, _)| *key != newest).map(|(_, n)| n).sum();
    if vault.older() > 0 {
        return finding(
            Health::Weak,
            format!(
                "A change of the master key has not come to its end ({behind} secrets are under an older one): do it again with caracal secret rotate-key."
            ),
        );
    }
    if newest.is_empty() {
        return finding(
            Health::Fine,
            format!("{shown} is not there, and not needed yet; the next start makes it."),
        );
    }
    finding(
        Health::Fine,
        format!(
            "{shown} is private and holds every key that secrets are under. No backup has it: keep a copy elsewhere."
        ),
    )
}
