//! `caracal backup` and `caracal restore`.
//!
//! **Invariant:** neither needs the server to stop; neither changes what it reads.

use crate::backup;
use crate::settings::Settings;
use engine::assembly::MASTER_KEY;
use engine::clock::{Clock as _, SystemClock};
use std::path::Path;

/// Copies the data folder into `to` and says how much that was.
pub async fn take(settings: &Settings, to: &Path) -> anyhow::Result<()> {
    let made = backup::take(&settings.data, to, SystemClock.now()).await?;
    println!("{} files, {} bytes in {}", made.files.len(), bytes(&made), to.display());
    let key = settings.data.join(MASTER_KEY);
    if key.exists() {
        println!(
            "The keys of secrets are not in it: keep {} in another safe place.",
            key.display()
        );
    }
    Ok(())
}

/// Puts a backup into the data folder, which must be new, and says what it was.
pub async fn restore(settings: &Settings, from: &Path) -> anyhow::Result<()> {
    let lease_ms = engine::dispatch::Settings::default().lease_ms;
    let made = backup::restore(from, &settings.data, SystemClock.now(), lease_ms).await?;
    println!(
        "{} files, {} bytes of {}, as of {}, in {}",
        made.files.len(),
        bytes(&made),
        made.version,
        made.made_at.to_words(),
        settings.data.display()
    );
    Ok(())
}

fn bytes(made: &backup::Manifest) -> u64 {
    made.files.iter().map(|f| f.bytes).sum()
}
