//! `caracal secret`: secrets by name, their master key, and what to do when that is lost.
//!
//! **Invariant:** as for users: the running server is asked, else the folder is held. A value comes from standard input and
//! goes nowhere but into the vault.

mod way;

use super::accounts::told;
use super::{SecretCommand, local};
use crate::settings::Settings;
use anyhow::{Context as _, anyhow, bail};
use domain::secret::{KeyRotation, MOST, SecretValue, SecretView, UnreadableSecret, without_line_end};
use engine::assembly::MASTER_KEY;
use engine::auth::rotation;
use engine::auth::vault::Vault;
use engine::clock::{Clock as _, SystemClock};
use engine::services::access::command_line;
use engine::store::audit::Entry;
use std::io::Read as _;
use way::{Folder, Way};

/// Runs a `secret` command.
pub async fn run(settings: &Settings, command: SecretCommand) -> anyhow::Result<()> {
    match command {
        SecretCommand::List => {
            for s in Way::open(settings, false).await?.list().await? {
                println!("{}", line(&s));
            }
        }
        SecretCommand::Set { name, plan, .. } => {
            let value = SecretValue(value(std::io::stdin())?);
            let set = Way::open(settings, true).await?.set(name, plan, value).await?;
            println!(
                "{} version {}",
                titled(&set.name, set.plan.map(|p| p.name)),
                set.version
            );
        }
        SecretCommand::Remove { name, plan } => Way::open(settings, false).await?.remove(&name, plan).await?,
        SecretCommand::RotateKey => rotated(&Way::open(settings, true).await?.rotate_key().await?)?,
        SecretCommand::ForgetUnreadable { yes } => forget_unreadable(settings, yes).await?,
    }
    Ok(())
}

fn titled(name: &str, plan: Option<String>) -> String {
    plan.map_or_else(|| name.to_owned(), |plan| format!("{name} of plan {plan}"))
}

fn line(s: &SecretView) -> String {
    let used = s.used_at.map_or_else(|| "never used".into(), |at| format!("used {at}"));
    let title = titled(&s.name, s.plan.as_ref().map(|p| p.name.clone()));
    format!(
        "{title} version {}, set {} by {}, {used}",
        s.version, s.set_at, s.set_by
    )
}

/// What comes from standard input.
fn value(from: impl std::io::Read) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(MOST as u64 + 3)
        .read_to_end(&mut bytes)
        .context("the value cannot be read from standard input")?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| anyhow!("the value on standard input is no UTF-8 text; encode it, as base64 say"))?;
    let text = without_line_end(text);
    if text.is_empty() {
        bail!("standard input holds no value");
    }
    Ok(text.to_owned())
}

fn rotated(done: &KeyRotation) -> anyhow::Result<()> {
    match done.moved {
        0 => println!("The master key is new; no secret was under the one before."),
        1 => println!("The master key is new, and one secret is under it now."),
        n => println!("The master key is new, and {n} secrets are under it now."),
    }
    println!("Keep a copy of {MASTER_KEY} as it is now elsewhere. Backups of before need the copy of before.");
    if done.unreadable.is_empty() {
        return Ok(());
    }
    let those: Vec<_> = done.unreadable.iter().map(reason).collect();
    bail!(
        "these stay as they were, with their key, because they do not open: {}. `caracal secret remove` takes one away",
        those.join("; ")
    )
}

fn reason(s: &UnreadableSecret) -> String {
    let title = titled(&s.name, s.plan.as_ref().map(|p| p.name.clone()));
    let users = match s.used_by.is_empty() {
        true => String::new(),
        false => format!(" (used by {})", s.used_by.join(", ")),
    };
    format!("{title}{users}: {}", s.why)
}

/// Without `yes` it only says what it would remove.
async fn forget_unreadable(settings: &Settings, yes: bool) -> anyhow::Result<()> {
    let folder = match local::Client::of(&settings.data).await? {
        Some(_) => bail!(
            "a server runs on this data folder, so every master key is there; stop it first, or remove single secrets with `caracal secret remove`"
        ),
        None => Folder::hold(settings).await?,
    };
    let lost = rotation::lost(&folder.store, &Vault::present(&folder.key)?)
        .await
        .map_err(|e| told(e.public()))?;
    if lost.is_empty() {
        println!("Every secret opens; there is nothing to forget.");
        return Ok(());
    }
    for secret in &lost {
        println!("{}", reason(secret));
    }
    if !yes {
        println!(
            "Nothing was removed. With --yes these are removed for good: {}.",
            lost.len()
        );
        return Ok(());
    }
    let noted = Entry::by(&command_line(), SystemClock.now(), "secret.forget");
    rotation::forget(&folder.store, &lost, noted)
        .await
        .map_err(|e| told(e.public()))?;
    println!("Removed: {}.", lost.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_single_line_is_taken_without_its_end_and_several_as_they_are() {
        for (text, want) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            ("a\nb\n", "a\nb\n"),
            ("a\nb", "a\nb"),
            (" a \n", " a "),
        ] {
            assert_eq!(value(text.as_bytes()).expect(text), want);
        }
        for bad in [&b""[..], b"\n", b"\xff"] {
            assert!(value(bad).is_err());
        }
        let long = "x".repeat(domain::secret::MOST + 9);
        assert!(
            value(long.as_bytes()).expect("read").len() > domain::secret::MOST,
            "the store refuses it"
        );
    }
}
