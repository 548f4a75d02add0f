//! Taking a backup, of a server that runs or of one that does not.
//!
//! **Invariant:** the data folder is only read.

use super::{Entry, MANIFEST, Manifest, copy};
use anyhow::{Context as _, bail};
use domain::Timestamp;
use engine::assembly::{MASTER_KEY, NEW_MASTER_KEY};
use engine::store::backup::snapshot;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const DATABASE: &str = "caracal.db";
const CONSOLE: &str = "console";
/// What is of this process or this machine alone: the database as it is being written, locks and sockets, and the built-in
/// agent's own folder, whose spool and workspaces are of what runs now; and the keys of secrets.
const LEFT_OUT: &[&str] = &[
    DATABASE,
    "caracal.db-wal",
    "caracal.db-shm",
    "caracal.lock",
    "caracal.sock",
    "reserve",
    "agent",
    MASTER_KEY,
    NEW_MASTER_KEY,
    CONSOLE,
];

/// Copies the data folder `data` into `to`, which must be empty or not there.
///
/// # Errors
/// One sentence: what cannot be read or written. What was written is then no backup, for its manifest is missing.
pub async fn take(data: &Path, to: &Path, now: Timestamp) -> anyhow::Result<Manifest> {
    let (shown, there) = (data.display(), to.display());
    if !data.join(DATABASE).is_file() {
        bail!("there is no data folder {shown} with a database; name it with --data");
    }
    if !copy::is_free(to).with_context(|| format!("{there} cannot be used"))? {
        bail!("{there} is not empty; name a folder of its own for each backup");
    }
    copy::folder(to)?;
    let (data, to) = (data.canonicalize()?, to.canonicalize()?);
    if to.starts_with(&data) {
        bail!("{there} lies in the data folder, and would become a part of itself; name a folder elsewhere");
    }
    std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let taken = snapshot(&data.join(DATABASE), &to.join(DATABASE))
        .await
        .context("the database cannot be copied")?;
    std::fs::set_permissions(to.join(DATABASE), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    tokio::task::spawn_blocking(move || {
        let mut files = vec![copy::look(&to, DATABASE)?];
        consoles(&data, &to, taken.last_attempt, &mut files)?;
        for name in names(&data)?.iter().filter(|n| !LEFT_OUT.contains(&n.as_str())) {
            all(&data, &to, name, &mut files)?;
        }
        let manifest = Manifest::new(now, taken.migration, files);
        write(&to, &manifest)?;
        Ok(manifest)
    })
    .await?
}

/// The index before the bytes: an index that is behind is made again, one that is ahead would speak of what is not there.
fn consoles(data: &Path, to: &Path, last_attempt: i64, files: &mut Vec<Entry>) -> anyhow::Result<()> {
    for shard in names(&data.join(CONSOLE))? {
        let folder = format!("{CONSOLE}/{shard}");
        let found = names(&data.join(&folder))?;
        let attempts = found.iter().filter_map(|n| n.strip_suffix(".out"));
        for attempt in attempts.filter(|a| a.parse::<i64>().is_ok_and(|id| id <= last_attempt)) {
            for kind in ["idx", "out"] {
                let path = format!("{folder}/{attempt}.{kind}");
                if data.join(&path).is_file() {
                    files.push(copy::file(data, to, &path)?);
                }
            }
        }
    }
    Ok(())
}

/// A file, or a folder with all that is in it; what is neither (a socket, a link) is left out.
fn all(data: &Path, to: &Path, path: &str, files: &mut Vec<Entry>) -> anyhow::Result<()> {
    let kind = match std::fs::symlink_metadata(data.join(path)) {
        Ok(found) => found.file_type(),
        // It went while we looked: nothing of it is in the database.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| format!("{path} in the data folder cannot be read")),
    };
    if kind.is_file() {
        files.push(copy::file(data, to, path)?);
    } else if kind.is_dir() {
        for name in names(&data.join(path))? {
            all(data, to, &format!("{path}/{name}"), files)?;
        }
    }
    Ok(())
}

/// The names in a folder, in order; none when there is no such folder.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        read => read.with_context(|| format!("the folder {} cannot be read", folder.display()))?,
    };
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn write(to: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let (new, path) = (to.join("manifest.new"), to.join(MANIFEST));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(serde_json::to_string_pretty(manifest)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    std::fs::File::open(to)?
        .sync_all()
        .context("the backup's folder cannot be synced")
}
