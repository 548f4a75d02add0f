//! Passwords: argon2id off the async threads, two at a time, in a queue that is bounded.
//!
//! **Invariant:** an unknown user costs the same work as a wrong password, and no password is ever in an error.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::{Error, Result};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Fewest characters of a password.
pub const MIN: usize = 8;
/// Most characters of a password; bounds the work of hashing.
pub const MAX: usize = 128;
/// Hashes at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// Callers that may stand in line for a hash.
const IN_LINE: usize = 64;
/// What a hash of today's cost begins with; others are made anew at the next sign-in.
const PRESENT: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// The gate to hashing.
#[derive(Debug, Clone)]
pub struct Passwords {
    line: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            line: Arc::new(Semaphore::new(IN_LINE)),
            gate: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// Checks a password that someone wants to have.
///
/// # Errors
/// `Invalid` with one sentence when it is too short, too long or the user's own name.
pub fn check(password: &str, name: &str) -> Result<()> {
    let refuse = |why: String| Err(Error::invalid_field("password", why));
    match password.chars().count() {
        n if n < MIN => refuse(format!("a password has at least {MIN} characters")),
        n if n > MAX => refuse(format!("a password has at most {MAX} characters")),
        _ if password.eq_ignore_ascii_case(name) => refuse("a password is not the user's name".into()),
        _ => Ok(()),
    }
}

/// Whether a stored hash should be made anew, because today's cost is another.
#[must_use]
pub fn outdated(hash: &str) -> bool {
    !hash.starts_with(PRESENT)
}

impl Passwords {
    /// Hashes a password with a fresh salt, as a PHC string.
    ///
    /// # Errors
    /// `Unavailable` when too many stand in line.
    pub async fn hash(&self, password: String) -> Result<String> {
        self.work(move || argon().hash_password(password.as_bytes()).map(|h| h.to_string()).ok())
            .await?
            .ok_or_else(|| Error::Unavailable("The password could not be hashed. Try again.".into()))
    }

    /// Whether the password belongs to the hash. Without a hash (no such user) the same work is done and the answer is no.
    ///
    /// # Errors
    /// `Unavailable` when too many stand in line.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        // Nobody has a longer one; hashing what a stranger sends must stay bounded.
        if password.chars().count() > MAX {
            return Ok(false);
        }
        self.work(move || match hash.as_deref().map(PasswordHash::new) {
            Some(Ok(parsed)) => argon().verify_password(password.as_bytes(), &parsed).is_ok(),
            _ => {
                let _ = argon().hash_password(password.as_bytes());
                false
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = || Error::Unavailable("Too many people sign in at this moment. Try again in a few seconds.".into());
        let _place = self.line.clone().try_acquire_owned().map_err(|_| busy())?;
        let permit = self.gate.clone().acquire_owned().await.map_err(|_| busy())?;
        // The permit moves into the thread: a caller that goes away does not make room for a third hash.
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            f()
        })
        .await
        .map_err(|_| busy())
    }
}

fn argon() -> Argon2<'static> {
    // The floor of OWASP's password storage advice; `Params::default` is the same and keeps this free of panics.
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let p = Passwords::default();
        let hash = p.hash("correct horse".into()).await.expect("hashes");
        assert!(!outdated(&hash), "{hash}");
        for (password, stored, want) in [
            ("correct horse", Some(hash.clone()), true),
            ("correct hors", Some(hash.clone()), false),
            ("correct horse", None, false),
            ("correct horse", Some("garbage".into()), false),
        ] {
            assert_eq!(p.verify(password.into(), stored).await, Ok(want), "{password}");
        }
        assert_eq!(p.verify("x".repeat(4_000), Some(hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn the_line_is_bounded() {
        let p = Passwords::default();
        let _all = p.line.clone().acquire_many_owned(IN_LINE as u32).await.expect("open");
        assert!(matches!(
            p.verify("whatever".into(), None).await,
            Err(Error::Unavailable(_))
        ));
    }

    #[test]
    fn bad_passwords_are_refused_with_a_sentence() {
        for (password, ok) in [
            ("short", false),
            ("longenough", true),
            (&*"x".repeat(129), false),
            ("Anastasia", false),
            ("ääääääää", true),
        ] {
            assert_eq!(check(password, "anastasia").is_ok(), ok, "{password}");
        }
    }

    #[test]
    fn older_hashes_are_outdated() {
        assert!(outdated("$argon2id$v=19$m=4096,t=1,p=1$abc$def"));
    }
}
