//! Secrets at rest: each under a key of its own, that key under a master key which lies in a file beside the database
//! (reliability S26). XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) for both.
//!
//! **Invariant:** what is sealed opens only as what it was sealed as: project, plan, name and version are authenticated with
//! it, so rows that were swapped do not open. No key and no secret is ever shown by `Debug`.

use super::keys::{self, KEY, Master};
use super::secret::{hex, unhex};
use crate::store::secrets::{self, Locked, Sealed};
use crate::store::{Store, settings};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use futures::FutureExt;
use rand::RngCore;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, MutexGuard};
use zeroize::Zeroizing;

pub use super::keys::KeyError;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// What a secret is sealed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct As<'a> {
    /// Its project.
    pub project: i64,
    /// Its plan, when it is one plan's alone.
    pub plan: Option<i64>,
    /// Its name.
    pub name: &'a str,
    /// Its version, 1 first.
    pub version: i64,
}

impl As<'_> {
    /// As bytes that no other secret has: the name comes last.
    fn bytes(&self) -> Vec<u8> {
        let plan = self.plan.map_or_else(|| "-".into(), |p| p.to_string());
        format!("caracal/1/{}/{plan}/{}/{}", self.project, self.version, self.name).into_bytes()
    }
}

/// Why a secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// Its master key is not here.
    #[error("the master key {0} is not in the key file; restore the file that belongs to this database")]
    NoKey(String),
    /// It was changed, or is another secret's.
    #[error("its row was changed or belongs to another secret")]
    Changed,
}

/// The master keys; the first seals, all open. They may change while it is in use.
pub struct Vault {
    path: PathBuf,
    keys: RwLock<Arc<Keys>>,
    rotating: Mutex<()>,
}

/// The keys of this process.
struct Keys {
    /// Those in the file, the newest first.
    live: Vec<Master>,
    /// Those that went from the file while it ran: who has read a row just before a rotation still opens it.
    gone: Vec<Master>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().live.iter().map(|k| &k.id)).finish()
    }
}

impl Vault {
    fn over(path: &Path, keys: Vec<Master>) -> Self {
        Self {
            path: path.to_owned(),
            keys: RwLock::new(Arc::new(Keys {
                live: keys,
                gone: Vec::new(),
            })),
            rotating: Mutex::default(),
        }
    }

    /// Reads the key file. One that is not there is made.
    ///
    /// # Errors
    /// When it cannot be read or made, is open to others, or holds no keys.
    pub fn open(path: &Path, rng: &mut dyn RngCore) -> Result<Self, KeyError> {
        if let Some(keys) = keys::read(path)? {
            return Ok(Self::over(path, keys));
        }
        let keys = vec![Master::fresh(rng)];
        keys::write(path, &keys)?;
        Ok(Self::over(path, keys))
    }

    /// The keys that are there, perhaps none; nothing is made. Without keys nothing can be sealed.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, or holds something else.
    pub fn present(path: &Path) -> Result<Self, KeyError> {
        Ok(Self::over(path, keys::read(path)?.unwrap_or_default()))
    }

    /// A vault that nothing opens from and nothing is sealed with.
    #[must_use]
    pub fn without_keys(path: &Path) -> Self {
        Self::over(path, Vec::new())
    }

    /// The vault of a database: every key that its secrets are under must be there. A new key, made where those are missing,
    /// would hide that.
    ///
    /// # Errors
    /// As for [`Vault::open`]; `Missing` when a key is not there.
    pub async fn of(store: &Store, path: &Path) -> Result<Self, KeyError> {
        let needed = secrets::keys(store).await?;
        let vault = match needed.is_empty() {
            true => Self::open(path, &mut rand::rng())?,
            false => Self::present(path)?,
        };
        if let Some(id) = needed.into_iter().find(|id| !vault.has(id)) {
            return Err(KeyError::Missing(id, path.to_owned()));
        }
        let newest = vault.key_id();
        if settings::get(store, secrets::SEALING).await?.as_deref() != Some(&newest) {
            store
                .write(move |tx| {
                    let newest = newest.clone();
                    async move { settings::put(tx, secrets::SEALING, &newest).await }.boxed()
                })
                .await?;
        }
        Ok(vault)
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a key is among them.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.keys().live.iter().any(|k| k.id == id)
    }

    /// The key that seals; nothing when there is none.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.keys().live.first().map(|k| k.id.clone()).unwrap_or_default()
    }

    /// The keys besides, for what has not been put under the newest yet.
    #[must_use]
    pub fn older(&self) -> usize {
        self.keys().live.len().saturating_sub(1)
    }

    /// To be held by whoever changes the keys.
    pub(super) async fn rotating(&self) -> MutexGuard<'_, ()> {
        self.rotating.lock().await
    }

    /// A new key seals from here on; the others still open. The new one is on the disk before it seals anything.
    ///
    /// # Errors
    /// When the file cannot be written; nothing has changed then.
    pub(super) fn add_key(&self) -> Result<(), KeyError> {
        let keys = self.keys();
        let mut live = vec![Master::fresh(&mut rand::rng())];
        live.extend(keys.live.iter().cloned());
        self.change(live, keys.gone.clone())
    }

    /// Lets go of all keys but the newest and these.
    ///
    /// # Errors
    /// When the file cannot be written; nothing has changed then.
    pub(super) fn keep(&self, needed: &[String]) -> Result<(), KeyError> {
        let keys = self.keys();
        let (mut live, mut gone) = (Vec::new(), keys.gone.clone());
        for (n, key) in keys.live.iter().enumerate() {
            let to = if n == 0 || needed.contains(&key.id) {
                &mut live
            } else {
                &mut gone
            };
            to.push(key.clone());
        }
        self.change(live, gone)
    }

    fn change(&self, live: Vec<Master>, gone: Vec<Master>) -> Result<(), KeyError> {
        keys::write(&self.path, &live)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Keys { live, gone });
        Ok(())
    }

    /// Seals a secret; `None` only when it is longer than any cipher takes, or there is no key.
    pub fn seal(&self, rng: &mut dyn RngCore, what: As<'_>, secret: &[u8]) -> Option<Sealed> {
        let keys = self.keys();
        let master = keys.live.first()?;
        let mut key = Zeroizing::new([0; KEY]);
        rng.fill_bytes(&mut *key);
        let nonce = fresh(rng);
        let ciphertext = cipher(&key).encrypt(&nonce, payload(secret, &what.bytes())).ok()?;
        Some(Sealed {
            key_id: master.id.clone(),
            wrapped_key: wrap(rng, master, &*key, what)?,
            nonce: hex(&nonce),
            ciphertext: hex(&ciphertext),
        })
    }

    /// Opens one.
    ///
    /// # Errors
    /// When its key is not here, or it is not what it is taken for.
    pub fn open_secret(&self, what: As<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Shut> {
        let key = self.unwrap(what, sealed)?;
        let (nonce, text) = (unhex(&sealed.nonce), unhex(&sealed.ciphertext));
        let (Some(nonce), Some(text)) = (nonce.filter(|n| n.len() == NONCE), text) else {
            return Err(Shut::Changed);
        };
        let plain = cipher(&key).decrypt(XNonce::from_slice(&nonce), payload(&text, &what.bytes()));
        plain.map(Zeroizing::new).map_err(|_| Shut::Changed)
    }

    /// The text of one as it stands in its row; `None` when its key is missing or it is damaged.
    #[must_use]
    pub fn text(&self, locked: &Locked) -> Option<String> {
        let what = As {
            project: locked.project_id,
            plan: locked.plan_id,
            name: &locked.name,
            version: locked.n,
        };
        let bytes = self.open_secret(what, &locked.sealed).ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// The same secret below the newest master key; `None` when it is there already.
    ///
    /// # Errors
    /// As for opening it.
    pub fn renew(&self, rng: &mut dyn RngCore, what: As<'_>, sealed: &Sealed) -> Result<Option<Sealed>, Shut> {
        let keys = self.keys();
        let Some(master) = keys.live.first().filter(|k| k.id != sealed.key_id) else {
            return Ok(None);
        };
        let key = self.unwrap(what, sealed)?;
        Ok(wrap(rng, master, &*key, what).map(|wrapped_key| Sealed {
            key_id: master.id.clone(),
            wrapped_key,
            ..sealed.clone()
        }))
    }

    fn unwrap(&self, what: As<'_>, sealed: &Sealed) -> Result<Zeroizing<[u8; KEY]>, Shut> {
        let keys = self.keys();
        let master = keys.live.iter().chain(&keys.gone).find(|k| k.id == sealed.key_id);
        let master = master.ok_or_else(|| Shut::NoKey(sealed.key_id.clone()))?;
        let wrapped = unhex(&sealed.wrapped_key)
            .filter(|w| w.len() > NONCE)
            .ok_or(Shut::Changed)?;
        let (nonce, text) = wrapped.split_at(NONCE);
        let plain = cipher(&master.key).decrypt(XNonce::from_slice(nonce), payload(text, &what.bytes()));
        let plain = Zeroizing::new(plain.map_err(|_| Shut::Changed)?);
        let mut key = Zeroizing::new([0; KEY]);
        if plain.len() != KEY {
            return Err(Shut::Changed);
        }
        key.copy_from_slice(&plain);
        Ok(key)
    }
}

fn wrap(rng: &mut dyn RngCore, master: &Master, key: &[u8], what: As<'_>) -> Option<String> {
    let nonce = fresh(rng);
    let wrapped = cipher(&master.key).encrypt(&nonce, payload(key, &what.bytes())).ok()?;
    Some(hex(&[nonce.as_slice(), &wrapped].concat()))
}

fn cipher(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn fresh(rng: &mut dyn RngCore) -> XNonce {
    let mut nonce = XNonce::default();
    rng.fill_bytes(&mut nonce);
    nonce
}

fn payload<'a>(msg: &'a [u8], aad: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    const DEPLOY: As<'_> = As {
        project: 1,
        plan: None,
        name: "DEPLOY_KEY",
        version: 1,
    };

    fn rng() -> StdRng {
        StdRng::seed_from_u64(11)
    }

    #[test]
    fn a_secret_opens_as_what_it_was_sealed_as_and_as_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut rng) = (dir.path().join("master.key"), rng());
        let vault = Vault::open(&path, &mut rng).unwrap();
        let sealed = vault.seal(&mut rng, DEPLOY, b"hunter2").unwrap();
        // Opened by the next start, too.
        let again = Vault::open(&path, &mut rng).unwrap();
        assert_eq!(*again.open_secret(DEPLOY, &sealed).unwrap(), b"hunter2");
        for other in [
            As { project: 2, ..DEPLOY },
            As {
                plan: Some(1),
                ..DEPLOY
            },
            As {
                name: "DEPLOY_KEZ",
                ..DEPLOY
            },
            As { version: 2, ..DEPLOY },
        ] {
            assert_eq!(vault.open_secret(other, &sealed), Err(Shut::Changed), "{other:?}");
        }
        let flip = |text: &str, at: usize| {
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &text[..at], &text[at + 1..])
        };
        for changed in [
            Sealed {
                wrapped_key: flip(&sealed.wrapped_key, 60),
                ..sealed.clone()
            },
            Sealed {
                nonce: flip(&sealed.nonce, 3),
                ..sealed.clone()
            },
            Sealed {
                ciphertext: flip(&sealed.ciphertext, 1),
                ..sealed.clone()
            },
            Sealed {
                ciphertext: "xy".into(),
                ..sealed.clone()
            },
            Sealed {
                nonce: "00".into(),
                ..sealed.clone()
            },
            Sealed {
                wrapped_key: String::new(),
                ..sealed.clone()
            },
        ] {
            assert_eq!(vault.open_secret(DEPLOY, &changed), Err(Shut::Changed));
        }
        assert!(!format!("{vault:?}{sealed:?}").contains("hunter2"));
    }

    #[test]
    fn a_new_master_key_takes_over_and_the_old_one_opens_until_then() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut rng) = (dir.path().join("master.key"), rng());
        let old = Vault::open(&path, &mut rng).unwrap();
        let sealed = old.seal(&mut rng, DEPLOY, b"hunter2").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{}\n\n{text}", "7".repeat(64))).unwrap();
        let both = Vault::open(&path, &mut rng).unwrap();
        assert_ne!(both.key_id(), old.key_id());
        assert_eq!(*both.open_secret(DEPLOY, &sealed).unwrap(), b"hunter2");
        let renewed = both.renew(&mut rng, DEPLOY, &sealed).unwrap().unwrap();
        assert_eq!(both.renew(&mut rng, DEPLOY, &renewed), Ok(None));
        assert_eq!(
            renewed.ciphertext, sealed.ciphertext,
            "the secret itself is not touched"
        );
        std::fs::write(&path, "7".repeat(64)).unwrap();
        let new = Vault::open(&path, &mut rng).unwrap();
        assert_eq!(*new.open_secret(DEPLOY, &renewed).unwrap(), b"hunter2");
        assert_eq!(new.open_secret(DEPLOY, &sealed), Err(Shut::NoKey(old.key_id())));
    }

    #[test]
    fn who_read_a_row_before_a_rotation_still_opens_it_and_the_file_has_no_old_key() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut rng) = (dir.path().join("master.key"), rng());
        let vault = Vault::open(&path, &mut rng).unwrap();
        let sealed = vault.seal(&mut rng, DEPLOY, b"hunter2").unwrap();
        for _ in 0..2 {
            vault.add_key().unwrap();
            assert_eq!(vault.older(), 1, "a key that went does not come back");
            vault.keep(&[]).unwrap();
        }
        assert_eq!(*vault.open_secret(DEPLOY, &sealed).unwrap(), b"hunter2");
        assert!(!vault.has(&sealed.key_id));
        let next = Vault::present(&path).unwrap();
        assert_eq!((next.key_id(), next.older()), (vault.key_id(), 0));
        assert_eq!(
            next.open_secret(DEPLOY, &sealed),
            Err(Shut::NoKey(sealed.key_id.clone()))
        );
    }
}
