//! The user that process steps run as when the agent is root.
//!
//! **Invariant:** a user that cannot be used is a sentence before a step starts, never a step that runs as root.

use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// User and group ids of `name`, `uid` or `uid:gid`, by `/etc/passwd`'s text.
///
/// # Errors
/// A sentence, when there is none such.
pub(super) fn find(user: &str, passwd: &str) -> Result<(u32, u32), String> {
    if let Some((uid, gid)) = user.split_once(':')
        && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
    {
        return Ok((uid, gid));
    }
    let ids = passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let &[name, _, uid, gid, ..] = fields.as_slice() else {
            return None;
        };
        (name == user || uid == user).then(|| Some((uid.parse().ok()?, gid.parse().ok()?)))?
    });
    ids.ok_or_else(|| format!("The user {user}, whom steps are to run as, is not in /etc/passwd."))
}

/// Gives a folder and all in it to a user. Blocking.
///
/// # Errors
/// When the disk refuses.
pub(super) fn give(path: &Path, (uid, gid): (u32, u32)) -> io::Result<()> {
    chownat(
        CWD,
        path,
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), (uid, gid))?;
        }
    }
    Ok(())
}

/// The folder above `path` that a user cannot pass through, if one bars the way.
pub(super) fn barred(path: &Path, (uid, gid): (u32, u32)) -> Option<&Path> {
    path.ancestors().skip(1).find(|above| {
        fs::metadata(above).is_ok_and(|m| {
            let bit = match (m.uid() == uid, m.gid() == gid) {
                (true, _) => 0o100,
                (_, true) => 0o010,
                _ => 0o001,
            };
            m.mode() & bit == 0
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn users_are_found_by_name_and_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nci:x:1001:1002::/home/ci:/bin/sh\n";
        for (user, ids) in [("ci", (1001, 1002)), ("1001", (1001, 1002)), ("5:6", (5, 6))] {
            assert_eq!(find(user, passwd), Ok(ids));
        }
        assert!(find("nobody-such", passwd).unwrap_err().contains("nobody-such"));
    }

    #[test]
    fn a_folder_that_bars_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(barred(&inner, (54_321, 54_321)), Some(dir.path().join("a").as_path()));
        fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(barred(&inner, (54_321, 54_321)), None);
    }
}
