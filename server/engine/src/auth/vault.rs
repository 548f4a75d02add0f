//! Secrets at rest: each under a key of its own, that key under a master key which lies in a file beside the database
//! (reliability S26). XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) for both.
//!
//! **Invariant:** what is sealed opens only as what it was sealed as: project, plan, name and version are authenticated with
//! it, so rows that were swapped do not open. No key and no secret is ever shown by `Debug`.

use super::secret::{hex, unhex};
use crate::store::secrets::Sealed;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;
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

/// Why there is no vault.
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
}

/// The master keys; the first seals, all open.
pub struct Vault {
    keys: Vec<Master>,
}

struct Master {
    id: String,
    key: Zeroizing<[u8; KEY]>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|k| &k.id)).finish()
    }
}

impl Vault {
    /// Reads the key file, one key a line, the newest first. One that is not there is made.
    ///
    /// # Errors
    /// When it cannot be read or made, is open to others, or holds no keys.
    pub fn open(path: &Path, rng: &mut dyn RngCore) -> Result<Self, KeyError> {
        let failed = |e| KeyError::File(path.to_owned(), e);
        let mut text = Zeroizing::new(String::new());
        match OpenOptions::new().read(true).open(path) {
            Ok(mut file) => {
                let mode = file.metadata().map_err(failed)?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(KeyError::Open(path.to_owned()));
                }
                file.read_to_string(&mut text).map_err(failed)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0; KEY]);
                rng.fill_bytes(&mut *key);
                *text = format!("{}\n", hex(&*key));
                let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
                let mut file = made.map_err(failed)?;
                // Whatever is sealed with it must not outlive it.
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(failed)?;
            }
            Err(e) => return Err(failed(e)),
        }
        let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
        let keys =
            lines.map(|(n, line)| master(line.trim()).ok_or_else(|| KeyError::Malformed(path.to_owned(), n + 1)));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::Malformed(path.to_owned(), 1));
        }
        Ok(Self { keys })
    }

    /// Whether a key is among them.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|k| k.id == id)
    }

    /// The key that seals.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.keys.first().map_or("", |k| &k.id)
    }

    /// Seals a secret; `None` only when it is longer than any cipher takes.
    pub fn seal(&self, rng: &mut dyn RngCore, what: As<'_>, secret: &[u8]) -> Option<Sealed> {
        let master = self.keys.first()?;
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

    /// The same secret below the newest master key; `None` when it is there already.
    ///
    /// # Errors
    /// As for opening it.
    pub fn renew(&self, rng: &mut dyn RngCore, what: As<'_>, sealed: &Sealed) -> Result<Option<Sealed>, Shut> {
        let Some(master) = self.keys.first().filter(|k| k.id != sealed.key_id) else {
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
        let master = self.keys.iter().find(|k| k.id == sealed.key_id);
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

fn master(line: &str) -> Option<Master> {
    let bytes = Zeroizing::new(unhex(line)?);
    let mut key = Zeroizing::new([0; KEY]);
    if bytes.len() != KEY {
        return None;
    }
    key.copy_from_slice(&bytes);
    // A name that tells nothing of it.
    let digest = Sha256::digest([b"caracal master key ".as_slice(), &*key].concat());
    Some(Master {
        id: hex(&digest[..6]),
        key,
    })
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
        assert_eq!(new.open_secret(DEPLOY, &sealed), Err(Shut::NoKey(old.key_id().into())));
    }

    #[test]
    fn a_key_file_that_others_read_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut rng) = (dir.path().join("master.key"), rng());
        Vault::open(&path, &mut rng).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::open(&path, &mut rng), Err(KeyError::Open(_))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        for (text, line) in [
            ("", 1),
            ("\n\n", 1),
            ("abc", 1),
            (&format!("{}\nxyz\n", "0".repeat(64)), 2),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = Vault::open(&path, &mut rng);
            assert!(
                matches!(refused, Err(KeyError::Malformed(_, n)) if n == line),
                "{text:?}"
            );
        }
    }
}
