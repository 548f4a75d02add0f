//! The data folder: made private, used by one program at a time.
//!
//! **Invariant:** whoever writes the database holds the lock; it goes with the process, however that ends.

use anyhow::{Context as _, bail};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A data folder held by this process.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder (0700) when it is absent, and takes its lock.
    ///
    /// # Errors
    /// One sentence when it cannot be made or written, or another caracal uses it.
    pub fn hold(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data folder {shown} cannot be made"))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("the data folder {shown} cannot be used"))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("caracal.lock"))
            .with_context(|| format!("the data folder {shown} cannot be written"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!("another caracal uses the data folder {shown}"),
            Err(TryLockError::Error(e)) => Err(e).with_context(|| format!("the data folder {shown} cannot be locked")),
        }
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database in it.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("caracal.db")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn one_program_at_a_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a/b");
        let held = DataFolder::hold(&path).expect("free");
        let refused = DataFolder::hold(&path).expect_err("held").to_string();
        assert!(refused.starts_with("another caracal uses"), "{refused}");
        assert_eq!(
            std::fs::metadata(held.path()).expect("is there").permissions().mode() & 0o777,
            0o700
        );
        drop(held);
        DataFolder::hold(&path).expect("free again");
    }

    #[test]
    fn a_file_in_the_way_is_said_in_a_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        std::fs::write(&path, "").expect("writes");
        let e = format!("{:#}", DataFolder::hold(&path).expect_err("no folder"));
        assert!(e.contains("cannot be made"), "{e}");
    }
}
