//! Who an agent is: the credential it made itself, and the id it was given for it, in its data folder.
//!
//! **Invariant:** the credential is on disk, readable by its owner alone, before it is shown to any server; one process at a
//! time uses it.

use anyhow::{Context, bail};
use domain::AgentId;
use rand::RngCore;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the file holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    credential: String,
    agent: Option<AgentId>,
    name: Option<String>,
}

/// An agent's identity, held by this process.
pub struct Identity {
    path: PathBuf,
    known: Known,
    _lock: File,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:?})", self.known.agent)
    }
}

impl Identity {
    /// Reads it from a data folder, or makes a credential there.
    ///
    /// # Errors
    /// One sentence when the folder cannot be used, is in use, or its file does not read.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("agent");
        let shown = folder.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("the agent's folder {shown} cannot be made"))?;
        let lock = File::create(folder.join("identity.lock"))
            .with_context(|| format!("the agent's folder {shown} is not writable"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another agent uses the folder {shown}; give this one a --data of its own");
        }
        let path = folder.join("identity.json");
        let known = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| {
                format!(
                    "{} does not read; remove it to register this agent anew",
                    path.display()
                )
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let fresh = Known {
                    credential: fresh(),
                    agent: None,
                    name: None,
                };
                write(&path, &fresh)?;
                fresh
            }
            Err(e) => return Err(e).with_context(|| format!("{} cannot be read", path.display())),
        };
        Ok(Self {
            path,
            known,
            _lock: lock,
        })
    }

    /// Its id, once it is registered.
    #[must_use]
    pub fn agent(&self) -> Option<AgentId> {
        self.known.agent
    }

    /// Its credential.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.known.credential
    }

    /// It is registered: known by this id and name from now on.
    ///
    /// # Errors
    /// When that cannot be written; the registration can then be repeated with the same token.
    pub fn registered(&mut self, agent: AgentId, name: String) -> anyhow::Result<()> {
        self.known.agent = Some(agent);
        self.known.name = Some(name);
        write(&self.path, &self.known)
    }
}

/// 256 random bits as hex digits.
fn fresh() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes the whole file beside and moves it into place: at any instant there is an old one or a new one.
fn write(path: &Path, known: &Known) -> anyhow::Result<()> {
    let shown = path.display();
    let beside = path.with_extension("new");
    let done = || -> std::io::Result<()> {
        match std::fs::remove_file(&beside) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&serde_json::to_vec(known)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    done().with_context(|| format!("{shown} cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_credential_is_made_once_and_kept_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Identity::open(dir.path()).unwrap();
        let (made, path) = (first.credential().to_owned(), first.path.clone());
        assert_eq!((made.len(), first.agent()), (64, None));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = Identity::open(dir.path()).unwrap_err().to_string();
        assert!(second.starts_with("another agent uses the folder"), "{second}");
        first.registered(AgentId(7), "kiln".into()).unwrap();
        drop(first);
        let again = Identity::open(dir.path()).unwrap();
        assert_eq!((again.credential(), again.agent()), (made.as_str(), Some(AgentId(7))));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(again);
        std::fs::write(&path, "rubbish").unwrap();
        assert!(format!("{:#}", Identity::open(dir.path()).unwrap_err()).contains("does not read"));
    }
}
