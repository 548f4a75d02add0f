//! What a backup holds: every file with its size and SHA-256.
//!
//! **Invariant:** paths are relative and stay inside; a manifest that says otherwise is refused.

use anyhow::{Context as _, bail};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path};

/// Its name in the backup.
pub const MANIFEST: &str = "manifest.json";
/// The form this program writes and reads.
const FORMAT: u32 = 1;

/// A backup's list of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub format: u32,
    /// The program that made it.
    pub version: String,
    /// When the database was copied.
    pub made_at: Timestamp,
    /// The newest migration of the database.
    pub migration: i64,
    /// Every file.
    pub files: Vec<Entry>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it lies below the data folder.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

impl Manifest {
    /// A manifest of this program.
    pub(super) fn new(made_at: Timestamp, migration: i64, files: Vec<Entry>) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            migration,
            files,
        }
    }

    /// Reads a backup's manifest.
    ///
    /// # Errors
    /// When the folder is no backup, or one of a form or with paths that are not taken.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display();
        let text = match std::fs::read_to_string(folder.join(MANIFEST)) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                bail!("{shown} is no backup: it has no {MANIFEST}, which is written last")
            }
            read => read.with_context(|| format!("the {MANIFEST} in {shown} cannot be read"))?,
        };
        let found: Self =
            serde_json::from_str(&text).with_context(|| format!("the {MANIFEST} in {shown} is damaged"))?;
        if found.format != FORMAT {
            bail!(
                "the backup in {shown} has form {}; this program reads form {FORMAT}",
                found.format
            );
        }
        for file in &found.files {
            let inside = |c: Component<'_>| matches!(c, Component::Normal(_));
            if file.path.is_empty() || !Path::new(&file.path).components().all(inside) {
                bail!(
                    "the {MANIFEST} in {shown} names `{}`, which lies outside of it",
                    file.path
                );
            }
        }
        Ok(found)
    }
}
