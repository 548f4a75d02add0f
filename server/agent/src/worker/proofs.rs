//! What proves to sources who asks, as the server sends it: in memory alone, and a key in a file while git runs.
//!
//! **Invariant:** nothing of it outlives its attempt; an agent that was killed gets it again with its next greeting.

use protocol::{Fence, Proof};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// What was sent, by attempt; `None` where there is nothing any more to prove it with.
pub(super) struct Proofs {
    sent: watch::Sender<BTreeMap<Fence, Option<Proof>>>,
    folder: PathBuf,
}

/// A key in a file that is removed when dropped.
pub(super) struct KeyFile(PathBuf);

impl Proofs {
    /// Keys lie below `folder`, which is emptied. Blocking.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self {
            sent: watch::Sender::default(),
            folder,
        })
    }

    /// Takes one that was sent; those of attempts that are not running go.
    pub fn take(&self, fence: Fence, proof: Option<Proof>, running: &BTreeSet<Fence>) {
        self.sent.send_modify(|sent| {
            sent.retain(|f, _| running.contains(f));
            sent.insert(fence, proof);
        });
    }

    /// Forgets an attempt's.
    pub fn forget(&self, fence: Fence) {
        self.sent.send_if_modified(|sent| sent.remove(&fence).is_some());
    }

    /// An attempt's, once the server has sent it.
    pub async fn of(&self, fence: Fence) -> Option<Proof> {
        let mut sent = self.sent.subscribe();
        let sent = sent.wait_for(|sent| sent.contains_key(&fence)).await;
        // The sender lives as long as this.
        sent.ok()?.get(&fence).cloned().flatten()
    }

    /// Puts a key where git's ssh finds it. Blocking, but short.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn key(&self, private: &str) -> io::Result<KeyFile> {
        let path = self.folder.join(format!("{:032x}", rand::random::<u128>()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let kept = KeyFile(path);
        // Ssh takes no key with line ends of Windows or without a last one.
        file.write_all(format!("{}\n", private.trim().replace('\r', "")).as_bytes())?;
        Ok(kept)
    }
}

impl KeyFile {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // What cannot be removed now is at the next start.
        let _ = fs::remove_file(&self.0);
    }
}
