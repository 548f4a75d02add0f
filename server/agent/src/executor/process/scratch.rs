//! A session's private `TMPDIR` and `HOME`, beside its workspace: one folder a slot, made anew whenever it was used.
//!
//! **Invariant:** it is empty and ours when a session begins: nothing a step left there is seen by the next session.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder.
pub(super) struct Scratch {
    /// All of it.
    pub folder: PathBuf,
    /// `TMPDIR`.
    pub tmp: PathBuf,
    /// `HOME`.
    pub home: PathBuf,
}

impl Scratch {
    /// Where the scratch folder of a workspace is.
    pub fn of(workspace: &Path) -> Self {
        let name = workspace.file_name().unwrap_or_default().to_string_lossy();
        let folder = workspace.with_file_name(format!("{name}.scratch"));
        Self {
            tmp: folder.join("tmp"),
            home: folder.join("home"),
            folder,
        }
    }

    /// The scratch folder of a workspace, made. One that no step touched is used again: making and removing folders is the
    /// better part of what a short step costs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make(workspace: &Path) -> io::Result<Self> {
        let scratch = Self::of(workspace);
        if !scratch.untouched() {
            remove(&scratch.folder)?;
            let make = |path: &Path| DirBuilder::new().mode(0o700).create(path);
            make(&scratch.folder)?;
            make(&scratch.tmp)?;
            make(&scratch.home)?;
        }
        for folder in [&scratch.folder, &scratch.tmp, &scratch.home] {
            fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        }
        Ok(scratch)
    }

    /// Whether it is as it was made. Links in the place of folders are not.
    fn untouched(&self) -> bool {
        let folder = |path: &Path| path.symlink_metadata().is_ok_and(|m| m.is_dir());
        let names = |path: &Path| -> Option<Vec<OsString>> {
            let names = fs::read_dir(path).ok()?.map(|e| e.map(|e| e.file_name()));
            names.collect::<io::Result<_>>().ok()
        };
        folder(&self.folder)
            && names(&self.folder).is_some_and(|n| n.len() == 2)
            && [&self.tmp, &self.home]
                .iter()
                .all(|f| folder(f) && names(f).is_some_and(|n| n.is_empty()))
    }

    /// What a step left, put aside so that the next session need not wait for its removal by [`remove`]; `number` makes
    /// its name.
    pub fn aside(&self, number: u64) -> Option<PathBuf> {
        if self.untouched() {
            return None;
        }
        let aside = self.folder.with_extension(format!("scratch-old-{number}"));
        fs::rename(&self.folder, &aside).is_ok().then_some(aside)
    }
}

/// Removes a folder, also where its owner made parts of it read-only (module caches are). Blocking.
///
/// # Errors
/// When the disk refuses.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            unlock(folder)?;
            fs::remove_dir_all(folder)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn unlock(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_empty_whatever_was_done_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("slot-0");
        let scratch = Scratch::make(&workspace).unwrap();
        assert_eq!(scratch.aside(1), None, "nothing was done to it");
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let deeds: [&dyn Fn(&Scratch); 4] = [
            &|s| fs::write(s.tmp.join("left"), "x").unwrap(),
            &|s| fs::create_dir(s.folder.join("more")).unwrap(),
            &|s| {
                fs::remove_dir(&s.home).unwrap();
                std::os::unix::fs::symlink(&outside, &s.home).unwrap();
            },
            &|s| fs::remove_dir_all(&s.folder).unwrap(),
        ];
        for (n, deed) in deeds.iter().enumerate() {
            deed(&Scratch::make(&workspace).unwrap());
            if n == 0 {
                assert!(scratch.aside(7).is_some_and(|p| p.join("tmp/left").exists()));
            }
            assert!(Scratch::make(&workspace).unwrap().untouched(), "deed {n}");
        }
        assert!(outside.exists(), "what a link led to is let be");
    }

    #[test]
    fn read_only_folders_go_too() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        fs::create_dir_all(folder.join("b")).unwrap();
        fs::write(folder.join("b/c"), "x").unwrap();
        fs::set_permissions(folder.join("b"), Permissions::from_mode(0o500)).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
    }
}
