//! The file of the master keys: one key a line in hex, the newest first, readable by its owner alone.
//!
//! **Invariant:** it changes only by a whole new file that takes its place once it is on the disk, so whoever reads it, at any
//! instant and after any crash, finds either the keys of before or those of after.

use super::secret::{hex, unhex};
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY: usize = 32;

/// Ends the name of the file that is being written; a crash may leave it, and it is of no use then. No backup has it.
pub const NEW: &str = ".new";

/// Why the master keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be used.
    #[error("the master key's file {file} cannot be used: {why}", file = .0.display(), why = .1)]
    File(PathBuf, io::Error),
    /// Others can read it.
    #[error("the master key's file {} can be read by others; make it 0600", .0.display())]
    Open(PathBuf),
    /// It holds something else.
    #[error("line {line} of the master key's file {file} is no key: 64 hex digits were expected", line = .1, file = .0.display())]
    Malformed(PathBuf, usize),
    /// A key that secrets are under is not in it.
    #[error("the database holds secrets under the master key {0}, which is not in {file}; put back the file that belongs to this database, or, when it is lost for good, let `caracal secret forget-unreadable` say what is lost with it", file = .1.display())]
    Missing(String, PathBuf),
    /// Which keys secrets are under cannot be read.
    #[error("the database cannot be read: {0}")]
    Database(#[from] crate::store::Error),
}

/// A master key, and its name, which tells nothing of it.
#[derive(Clone)]
pub(super) struct Master {
    pub id: String,
    pub key: Zeroizing<[u8; KEY]>,
}

impl Master {
    /// A random one.
    pub fn fresh(rng: &mut dyn RngCore) -> Self {
        let mut key = Zeroizing::new([0; KEY]);
        rng.fill_bytes(&mut *key);
        Self::of(key)
    }

    fn of(key: Zeroizing<[u8; KEY]>) -> Self {
        let digest = Sha256::digest([b"caracal master key ".as_slice(), &*key].concat());
        Self {
            id: hex(&digest[..6]),
            key,
        }
    }

    fn read(line: &str) -> Option<Self> {
        let bytes = Zeroizing::new(unhex(line)?);
        let mut key = Zeroizing::new([0; KEY]);
        if bytes.len() != KEY {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(Self::of(key))
    }
}

/// Reads the file; `None` when there is none.
///
/// # Errors
/// When it cannot be read, is open to others, or holds no keys.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Master>>, KeyError> {
    let failed = |e| KeyError::File(path.to_owned(), e);
    let mut text = Zeroizing::new(String::new());
    let mut file = match OpenOptions::new().read(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Open(path.to_owned()));
    }
    file.read_to_string(&mut text).map_err(failed)?;
    let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let keys = lines
        .map(|(n, line)| Master::read(line.trim()).ok_or_else(|| KeyError::Malformed(path.to_owned(), n + 1)))
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(KeyError::Malformed(path.to_owned(), 1));
    }
    Ok(Some(keys))
}

/// Puts a file with these keys in place of what is there. It is on the disk when this answers: whatever is sealed with a
/// key must not outlive it.
///
/// # Errors
/// When it cannot be written; what was there is then still there.
pub(super) fn write(path: &Path, keys: &[Master]) -> Result<(), KeyError> {
    replace(path, keys).map_err(|e| KeyError::File(path.to_owned(), e))
}

fn replace(path: &Path, keys: &[Master]) -> io::Result<()> {
    // A link stays one: the keys may lie on another disk.
    let path = match path.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(NEW);
    let new = path.with_file_name(name);
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    for key in keys {
        let line = Zeroizing::new(format!("{}\n", hex(&*key.key)));
        file.write_all(line.as_bytes())?;
    }
    file.sync_all()?;
    failpoint::reached("server.keys-written");
    std::fs::rename(&new, &path)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn ids(keys: &[Master]) -> Vec<&str> {
        keys.iter().map(|k| k.id.as_str()).collect()
    }

    #[test]
    fn keys_are_read_as_they_were_written_and_what_a_crash_left_is_no_hindrance() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        assert!(read(&path).unwrap().is_none());
        let mut rng = StdRng::seed_from_u64(3);
        let all = [Master::fresh(&mut rng), Master::fresh(&mut rng)];
        std::fs::write(dir.path().join("master.key.new"), "half a k").unwrap();
        for keys in [&all[..1], &all[..]] {
            write(&path, keys).unwrap();
            assert_eq!(ids(&read(&path).unwrap().unwrap()), ids(keys));
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("safe/keys"), dir.path().join("master.key"));
        std::fs::create_dir(dir.path().join("safe")).unwrap();
        let mut rng = StdRng::seed_from_u64(4);
        write(&real, &[Master::fresh(&mut rng)]).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let new = Master::fresh(&mut rng);
        write(&link, std::slice::from_ref(&new)).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(ids(&read(&real).unwrap().unwrap()), [new.id.as_str()]);
    }

    #[test]
    fn a_key_file_that_others_read_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        write(&path, &[Master::fresh(&mut StdRng::seed_from_u64(5))]).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(read(&path), Err(KeyError::Open(_))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        for (text, line) in [
            ("", 1),
            ("\n\n", 1),
            ("abc", 1),
            (&format!("{}\nxyz\n", "0".repeat(64)), 2),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = read(&path);
            assert!(
                matches!(refused, Err(KeyError::Malformed(_, n)) if n == line),
                "{text:?}"
            );
        }
    }
}
