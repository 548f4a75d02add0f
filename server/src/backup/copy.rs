//! Copying a file and knowing what was copied.
//!
//! **Invariant:** what is answered is of the bytes that were written, and they are on disk.

use super::Entry;
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a folder for this user alone, with those above it.
pub fn folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// Copies the file `path` from one folder below another; as much of it as there is now.
pub fn file(from: &Path, to: &Path, path: &str) -> anyhow::Result<Entry> {
    let (source, target) = (from.join(path), to.join(path));
    if let Some(parent) = target.parent() {
        folder(parent)?;
    }
    let copied = || -> io::Result<Entry> {
        let source = File::open(&source)?;
        // What is appended while it is copied is of a later instant.
        let length = source.metadata()?.len();
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create_new(true).mode(0o600).open(&target)?;
        let entry = digest(&mut source.take(length), path, |part| out.write_all(part))?;
        out.sync_all()?;
        Ok(entry)
    };
    copied().with_context(|| format!("{} cannot be copied to {}", source.display(), target.display()))
}

/// What a file is, as it lies there.
pub fn look(folder: &Path, path: &str) -> io::Result<Entry> {
    digest(&mut File::open(folder.join(path))?, path, |_| Ok(()))
}

fn digest(source: &mut impl io::Read, path: &str, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Entry> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let n = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hash.update(&buffer[..n]);
        take(&buffer[..n])?;
        bytes += n as u64;
    }
    let sha256 = hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(Entry {
        path: path.to_owned(),
        bytes,
        sha256,
    })
}

/// Whether there is nothing at this path, or an empty folder.
pub fn is_free(path: &Path) -> io::Result<bool> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(e),
    }
}
