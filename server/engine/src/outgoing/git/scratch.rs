//! Folders for the time of one question.
//!
//! **Invariant:** nobody but this server's user can look into one; it is gone when it is dropped, or at the next start.

use rand::Rng;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder that is removed when dropped.
pub(super) struct Scratch(PathBuf);

/// Makes a folder, or empties it of what a killed server left.
pub(super) fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    DirBuilder::new().mode(0o700).create(folder)
}

impl Scratch {
    pub(super) fn below(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{:032x}", rand::rng().random::<u128>()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Bytes of the largest file in it.
    pub(super) fn largest(&self) -> u64 {
        let (mut folders, mut largest) = (vec![self.0.clone()], 0);
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            for entry in entries {
                match entry.metadata() {
                    Ok(m) if m.is_dir() => folders.push(entry.path()),
                    Ok(m) => largest = largest.max(m.len()),
                    Err(_) => {}
                }
            }
        }
        largest
    }

    /// Writes a file that only this server's user can read.
    pub(super) fn secret(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is at the next start.
        let _ = fs::remove_dir_all(&self.0);
    }
}
