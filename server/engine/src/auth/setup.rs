//! The one-time set-up code: a file in the data folder that only its owner can read.
//!
//! **Invariant:** without the code the first admin cannot be made; the file goes when the admin has come.

use crate::auth::secret;
use rand::RngCore;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where the code lies.
#[derive(Debug, Clone)]
pub struct SetupCode {
    path: PathBuf,
}

impl SetupCode {
    /// The code of a data folder, whether it exists or not.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            path: data.join("setup.code"),
        }
    }

    /// The present code; makes one (mode 0600) when there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn ensure(&self, rng: &mut dyn RngCore) -> io::Result<String> {
        if let Some(code) = self.read() {
            return Ok(code);
        }
        let code = secret::code(rng);
        write_private(&self.path, &code)?;
        Ok(code)
    }

    /// Whether this is the code. `false` when there is none.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        self.read().is_some_and(|code| secret::same(&code, given.trim()))
    }

    /// Takes it away; no error when it is gone already.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }

    fn read(&self) -> Option<String> {
        let code = std::fs::read_to_string(&self.path).ok()?.trim().to_owned();
        (code.len() >= 22).then_some(code)
    }
}

/// Writes a secret to a file that only its owner can read, in place of what was there.
///
/// # Errors
/// Those of the file system.
pub fn write_private(path: &Path, secret: &str) -> io::Result<()> {
    // A file that is there keeps its mode when it is opened, so it goes first; `create_new` follows no link.
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_code_stays_until_it_is_taken_away() {
        let dir = tempfile::tempdir().expect("a folder");
        let code = SetupCode::of(dir.path());
        assert!(!code.matches(""), "no code, no entry");
        let first = code.ensure(&mut StdRng::seed_from_u64(1)).expect("writes");
        assert_eq!(code.ensure(&mut StdRng::seed_from_u64(2)).expect("reads"), first);
        assert!(code.matches(&format!(" {first}\n")) && !code.matches("other"));
        let mode = std::fs::metadata(dir.path().join("setup.code"))
            .expect("is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        code.remove();
        assert!(!code.matches(&first));
    }

    #[test]
    fn an_emptied_file_is_no_code() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("setup.code"), "\n").expect("writes");
        assert!(!SetupCode::of(dir.path()).matches(""));
    }
}
