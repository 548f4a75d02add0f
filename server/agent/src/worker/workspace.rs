//! Workspaces: one folder per slot, empty at the start of each attempt, cleared off the critical path.
//!
//! **Invariant:** what one attempt left is never seen by the next, even while it is still being removed.

use crate::executor::Executor;
use rustix::process::geteuid;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

/// The workspaces of this agent.
pub struct Workspaces {
    folder: PathBuf,
    trash: PathBuf,
    next: AtomicU64,
    tasks: TaskTracker,
}

impl Workspaces {
    /// Opens the folder; what an earlier run left is put aside and removed behind the answer.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn open(folder: PathBuf, tasks: TaskTracker) -> io::Result<Self> {
        let trash = folder.join("trash");
        std::fs::create_dir_all(&trash)?;
        Ok(Self {
            folder,
            trash,
            next: AtomicU64::new(0),
            tasks,
        })
    }

    /// The workspace that an earlier run of this agent left on a slot.
    pub fn left(&self, slot: usize) -> Option<PathBuf> {
        let path = self.path(slot);
        path.is_dir().then_some(path)
    }

    fn path(&self, slot: usize) -> PathBuf {
        self.folder.join(format!("slot-{slot}"))
    }

    /// Removes what an earlier run of this agent left, but for these slots, behind the answer.
    pub fn sweep(self: &Arc<Self>, executor: Option<Arc<dyn Executor>>, kept: &BTreeSet<usize>) {
        let mut old = Vec::new();
        for folder in [&self.trash, &self.folder] {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            old.extend(entries.map(|e| e.path()).filter(|p| *p != self.trash));
        }
        // With what lies beside it, such as a slot's scratch folder.
        for path in kept.iter().map(|slot| self.path(*slot)) {
            old.retain(|p| !p.file_name().zip(path.file_name()).is_some_and(|(p, k)| of_slot(p, k)));
        }
        for path in old {
            match self.aside(&path) {
                Ok(aside) => self.remove(aside, executor.clone()),
                Err(e) => tracing::warn!("The old workspace {} cannot be put aside: {e}", path.display()),
            }
        }
    }

    /// The empty workspace of a slot.
    ///
    /// # Errors
    /// When it cannot be made, or what was there cannot be put aside.
    pub fn make(self: &Arc<Self>, slot: usize, executor: Option<&Arc<dyn Executor>>) -> io::Result<PathBuf> {
        let path = self.path(slot);
        let build = || DirBuilder::new().mode(0o755).create(&path);
        match build() {
            // As it was made: a container that waits for this slot's next job has it mounted.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && untouched(&path) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                self.clear(&path, executor);
                build()?;
            }
            other => other?,
        }
        Ok(path)
    }

    /// Takes a workspace away: at once where it is empty, else put aside at once and removed behind the answer.
    pub fn clear(self: &Arc<Self>, path: &Path, executor: Option<&Arc<dyn Executor>>) {
        if std::fs::remove_dir(path).is_ok() {
            return;
        }
        match self.aside(path) {
            Ok(aside) => self.remove(aside, executor.cloned()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => tracing::warn!("The workspace {} cannot be put aside: {e}", path.display()),
        }
    }

    fn aside(&self, path: &Path) -> io::Result<PathBuf> {
        loop {
            let aside = self.trash.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
            if path == aside {
                return Ok(aside);
            }
            if !aside.exists() {
                return std::fs::rename(path, &aside).map(|()| aside);
            }
        }
    }

    fn remove(&self, path: PathBuf, executor: Option<Arc<dyn Executor>>) {
        self.tasks.spawn(async move {
            let mut done = emptied(path.clone()).await;
            if done.is_err()
                && let Some(executor) = executor
            {
                // Files that a container made may be root's while this agent is not.
                executor.release(&path).await;
                done = emptied(path.clone()).await;
            }
            if let Err(e) = done {
                tracing::warn!("The old workspace {} cannot be removed: {e}", path.display());
            }
        });
    }
}

/// Whether a folder is empty and nobody but us can have changed what it is.
fn untouched(path: &Path) -> bool {
    let plain = path
        .symlink_metadata()
        .is_ok_and(|m| m.is_dir() && m.permissions().mode() & 0o7777 == 0o755 && m.uid() == geteuid().as_raw());
    plain && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether a name is a slot's folder or begins with it and a dot.
fn of_slot(name: &OsStr, slot: &OsStr) -> bool {
    let rest = name.as_encoded_bytes().strip_prefix(slot.as_encoded_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
}

async fn emptied(path: PathBuf) -> io::Result<()> {
    spawn_blocking(move || match std::fs::remove_dir_all(&path) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            unlock(&path)?;
            std::fs::remove_dir_all(&path)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    })
    .await?
}

/// Makes all folders writable: caches of modules are read-only, also for who made them.
fn unlock(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}
