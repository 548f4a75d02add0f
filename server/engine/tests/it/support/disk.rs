//! A disk of a few megabytes that a test can fill: a file system in memory, mounted for the test alone.
//!
//! **Invariant:** it is gone when the test ends; where this process may not mount, the test says loudly that it did not run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The disk. Drop it after everything that lies on it.
pub struct TinyDisk {
    at: PathBuf,
    _outer: TempDir,
}

impl TinyDisk {
    /// A disk of so many KiB; `None`, said loudly, where mounting is not allowed.
    pub fn mount(kib: u32) -> Option<Self> {
        let outer = tempfile::tempdir().unwrap();
        let at = outer.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&at)
            .output();
        match mounted {
            Ok(out) if out.status.success() => Some(Self { at, _outer: outer }),
            _ => {
                super::skipped("a disk that is really full, for only root may mount one");
                None
            }
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Takes all space that is left.
    pub fn fill(&self) {
        let mut ballast = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.at.join("ballast"))
            .unwrap();
        let block = [7_u8; 4096];
        while ballast.write_all(&block).is_ok() {}
        assert!(
            std::fs::write(self.at.join("probe"), block).is_err(),
            "the disk is not full"
        );
        let _ = std::fs::remove_file(self.at.join("probe"));
    }

    /// Gives that space back.
    pub fn free(&self) {
        std::fs::remove_file(self.at.join("ballast")).unwrap();
    }

    /// Lets nothing be written any more; no file may be open for writing.
    pub fn write_protect(&self) {
        let done = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&self.at)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Lazily: threads of a database that was just closed may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}
