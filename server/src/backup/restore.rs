//! Restoring a backup into a new data folder, verified to the byte.
//!
//! **Invariant:** the new folder is there whole or not at all.

use super::{MANIFEST, Manifest, copy};
use anyhow::{Context as _, bail};
use domain::Timestamp;
use engine::store::backup::{complaint, revive};
use std::path::{Path, PathBuf};

/// Copies the backup `from` into the new data folder `data`. `lease_ms` is how long what ran may take to come back.
///
/// # Errors
/// One sentence: what is not as the manifest says, or cannot be written; `data` is then not made.
pub async fn restore(from: &Path, data: &Path, now: Timestamp, lease_ms: i64) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(from)?;
    let shown = data.display();
    if !copy::is_free(data).with_context(|| format!("{shown} cannot be used"))? {
        bail!("{shown} is not empty; a backup is restored into a new data folder");
    }
    let beside = beside(data)?;
    if beside.exists() {
        std::fs::remove_dir_all(&beside).with_context(|| format!("{} is in the way", beside.display()))?;
    }
    copy::folder(&beside)?;
    let done = fill(from, &beside, &manifest, now, lease_ms).await;
    let done = done.and_then(|()| {
        std::fs::rename(&beside, data).with_context(|| format!("{shown} cannot be made of {}", beside.display()))
    });
    if done.is_err() {
        let _ = std::fs::remove_dir_all(&beside);
    }
    done.map(|()| manifest)
}

async fn fill(from: &Path, to: &Path, manifest: &Manifest, now: Timestamp, lease_ms: i64) -> anyhow::Result<()> {
    let (source, target, files) = (from.to_owned(), to.to_owned(), manifest.files.clone());
    tokio::task::spawn_blocking(move || {
        for wanted in files {
            let found = copy::file(&source, &target, &wanted.path)?;
            if found != wanted {
                bail!(
                    "{} in the backup is not what its {MANIFEST} says: {} bytes, SHA-256 {}; {} and {} are wanted",
                    wanted.path,
                    found.bytes,
                    found.sha256,
                    wanted.bytes,
                    wanted.sha256
                );
            }
        }
        Ok(())
    })
    .await??;
    let database = to.join("caracal.db");
    if let Some(found) = complaint(&database)
        .await
        .context("the database in the backup cannot be read")?
    {
        bail!("the database in the backup is damaged: {found}");
    }
    revive(&database, now, lease_ms)
        .await
        .context("the restored database cannot be written")
}

/// Where it is put together: on the same disk, so that it can be put in place at once.
fn beside(data: &Path) -> anyhow::Result<PathBuf> {
    let name = data.file_name().context("the new data folder needs a name")?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".restoring");
    Ok(data.with_file_name(hidden))
}
