//! Finding a program in the step's own search path; the shim's is another's.
//!
//! **Invariant:** what is found is a path with a `/`, so nobody searches again.

use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The program's path.
pub(super) fn search(program: &str, path: &str) -> Result<PathBuf, Errno> {
    if program.contains('/') {
        return Ok(program.into());
    }
    let mut denied = false;
    for folder in path.split(':') {
        let folder = if folder.is_empty() { "." } else { folder };
        let candidate = Path::new(folder).join(program);
        match fs::metadata(&candidate) {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => return Ok(candidate),
            Ok(_) => denied = true,
            Err(_) => {}
        }
    }
    Err(if denied { Errno::ACCESS } else { Errno::NOENT })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_executable_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for (folder, mode) in [(&a, 0o644), (&b, 0o755)] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("tool"), "").unwrap();
            fs::set_permissions(folder.join("tool"), fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = format!("/nowhere:{}:{}", a.display(), b.display());
        assert_eq!(search("tool", &path), Ok(b.join("tool")));
        assert_eq!(search("tool", &a.display().to_string()), Err(Errno::ACCESS));
        assert_eq!(search("other", &path), Err(Errno::NOENT));
        assert_eq!(search("./x", ""), Ok("./x".into()));
    }
}
