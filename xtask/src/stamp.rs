//! Remembers what an output was made from, so that unchanged inputs cost nothing.
//! Contents are compared, not times: a fresh checkout and a touched file are no change.
//!
//! **Invariant:** a stamp is written only after everything it stands for is in place.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};

/// A fingerprint over texts, files and folders, in the order they were given.
pub struct Stamp(DefaultHasher);

impl Stamp {
    /// A stamp of nothing yet.
    pub fn new() -> Self {
        Self(DefaultHasher::new())
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        text.hash(&mut self.0);
    }

    /// Adds the contents of a file, which must exist.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        fs::read(path)
            .with_context(|| format!("reading {}", path.display()))?
            .hash(&mut self.0);
        Ok(())
    }

    /// Adds the names and contents of everything below a folder.
    pub fn tree(&mut self, folder: &Path) -> Result<()> {
        let mut entries: Vec<_> = fs::read_dir(folder)
            .with_context(|| format!("reading {}", folder.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        entries.sort();
        for path in entries {
            path.file_name().hash(&mut self.0);
            if path.is_dir() {
                self.tree(&path)?;
            } else {
                self.file(&path)?;
            }
        }
        "end of folder".hash(&mut self.0);
        Ok(())
    }

    /// Whether `file` holds this very stamp.
    pub fn is_in(&self, file: &Path) -> bool {
        fs::read_to_string(file).is_ok_and(|text| text == self.word())
    }

    /// Leaves the stamp in `file`.
    pub fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, self.word()).with_context(|| format!("writing {}", file.display()))
    }

    fn word(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// Removes the stamp in `file`, if there is one.
pub fn forget(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", file.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp_of(folder: &Path) -> String {
        let mut stamp = Stamp::new();
        stamp.tree(folder).unwrap();
        stamp.word()
    }

    #[test]
    fn a_tree_is_its_names_contents_and_shape() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("fonts")).unwrap();
        fs::write(dir.path().join("fonts/a"), "one").unwrap();
        let first = stamp_of(dir.path());
        assert_eq!(first, stamp_of(dir.path()), "the same tree has the same stamp");

        fs::write(dir.path().join("fonts/a"), "one").unwrap();
        assert_eq!(first, stamp_of(dir.path()), "rewriting the same bytes is no change");

        fs::write(dir.path().join("fonts/a"), "two").unwrap();
        let second = stamp_of(dir.path());
        assert_ne!(first, second, "other contents");

        fs::rename(dir.path().join("fonts/a"), dir.path().join("fonts/b")).unwrap();
        let third = stamp_of(dir.path());
        assert_ne!(second, third, "another name");

        fs::rename(dir.path().join("fonts/b"), dir.path().join("b")).unwrap();
        assert_ne!(third, stamp_of(dir.path()), "another place");
    }

    #[test]
    fn a_stamp_is_found_again_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("site.stamp");
        let mut stamp = Stamp::new();
        stamp.text("inputs");
        assert!(!stamp.is_in(&file));
        stamp.write(&file).unwrap();
        assert!(stamp.is_in(&file));
        forget(&file).unwrap();
        forget(&file).unwrap();
        assert!(!stamp.is_in(&file));
    }
}
