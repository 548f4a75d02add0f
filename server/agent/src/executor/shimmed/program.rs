//! The shim's program: embedded in this one, laid out once in the agent's folder.
//!
//! **Invariant:** the file under its digest's name is whole; an agent of another version lays out its own beside it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The program.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shim"));

/// Makes the program be in `folder`; answers its path. Blocking.
///
/// # Errors
/// When the disk refuses.
pub(super) fn lay_out(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(format!("program-{:016x}", protocol::digest(PROGRAM)));
    if fs::metadata(&path).is_ok_and(|m| m.len() == PROGRAM.len() as u64) {
        return Ok(path);
    }
    fs::create_dir_all(folder)?;
    let new = path.with_extension(std::process::id().to_string());
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o555)
        .open(&new)?;
    file.write_all(PROGRAM)?;
    drop(file);
    fs::rename(&new, &path)?;
    Ok(path)
}

/// Puts the program into another folder: the same file where the disk allows, else a copy. Blocking.
///
/// # Errors
/// When the disk refuses.
pub(super) fn place(program: &Path, into: &Path) -> io::Result<()> {
    let path = into.join(shim::PROGRAM);
    fs::hard_link(program, &path).or_else(|_| fs::copy(program, &path).map(drop))
}
