//! A shim's place on the agent's disk: `raw` (its spool), `record`, `mark`, and below `door` what it may see itself: its
//! socket and, for a container, its program.
//!
//! **Invariant:** only `door` is ever shown to a container; a home is nobody else's, and its name is never used again.

use super::program;
use rand::Rng;
use shim::{SOCKET, record};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The place.
#[derive(Debug, Clone)]
pub(super) struct Home(PathBuf);

impl Home {
    /// A new one below `folder`. Blocking.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make(folder: &Path) -> io::Result<Self> {
        loop {
            let home = Self(folder.join(format!("{:016x}", rand::rng().random::<u64>())));
            match DirBuilder::new().mode(0o700).create(&home.0) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            // Its parents let nobody through; a container's user finds its way by the mount.
            DirBuilder::new().mode(0o755).create(home.door())?;
            record::prepare(&home.record()?)?;
            return Ok(home);
        }
    }

    /// One that was made, by its name.
    pub fn named(folder: &Path, name: &str) -> Option<Self> {
        let plain = name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let home = Self(folder.join(name));
        (plain && home.0.is_dir()).then_some(home)
    }

    /// All there are.
    pub fn all(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter_map(|e| Self::named(folder, e.file_name().to_str()?))
            .collect()
    }

    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What the shim may see.
    pub fn door(&self) -> PathBuf {
        self.0.join("door")
    }

    pub fn raw(&self) -> io::Result<File> {
        open(&self.0.join("raw"))
    }

    pub fn record(&self) -> io::Result<File> {
        open(&self.0.join("record"))
    }

    pub fn mark(&self) -> PathBuf {
        self.0.join("mark")
    }

    /// Puts the program into the door.
    pub fn equip(&self, program: &Path) -> io::Result<()> {
        program::place(program, &self.door())
    }

    /// Listens for the shim. The path of a socket is short by law, so it is named from its folder.
    pub fn listen(&self) -> io::Result<UnixListener> {
        let door = File::open(self.door())?;
        let path = self.door().join(SOCKET);
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{SOCKET}", door.as_raw_fd()))?;
        // A container's user is any; who it is is proved by the token.
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Takes it all away. Blocking.
    pub fn remove(&self) {
        if let Err(e) = fs::remove_dir_all(&self.0)
            && e.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("The shim's folder {} cannot be removed: {e}", self.0.display());
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
