//! Secrets that programs carry: session cookies, API tokens, one-time codes.
//!
//! **Invariant:** each holds at least 128 random bits, so a plain SHA-256 of it may be stored; a token with a typing error
//! is told by its checksum, without a look into the database.

use rand::RngCore;
use sha2::{Digest, Sha256};

/// What every API token begins with, so that scanners for leaked secrets know ours.
pub const TOKEN_PREFIX: &str = "car_";
/// What every token that registers agents begins with.
pub const AGENT_TOKEN_PREFIX: &str = "agt_";
/// Base-62 digits of 256 bits.
const BODY: usize = 43;
/// Base-62 digits of the checksum.
const CHECK: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The stored form of a secret: SHA-256 in lower-case hex.
#[must_use]
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Whether two secrets are the same, in a time that tells nothing: their hashes are compared.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    Sha256::digest(a.as_bytes()) == Sha256::digest(b.as_bytes())
}

/// A session cookie's value: 256 random bits.
pub fn session(rng: &mut dyn RngCore) -> String {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    base62(&bytes, BODY)
}

/// An API token: `car_`, 256 random bits, a checksum.
pub fn token(rng: &mut dyn RngCore) -> String {
    prefixed(TOKEN_PREFIX, rng)
}

/// A token that registers agents: `agt_`, 256 random bits, a checksum.
pub fn agent_token(rng: &mut dyn RngCore) -> String {
    prefixed(AGENT_TOKEN_PREFIX, rng)
}

fn prefixed(prefix: &str, rng: &mut dyn RngCore) -> String {
    let body = session(rng);
    let check = check(&body);
    format!("{prefix}{body}{check}")
}

/// A one-time code: 128 random bits.
pub fn code(rng: &mut dyn RngCore) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    base62(&bytes, 22)
}

/// Whether a text has the form of one of our tokens, checksum included.
#[must_use]
pub fn well_formed(token: &str) -> bool {
    formed(TOKEN_PREFIX, token)
}

/// Whether a text has the form of a token that registers agents, checksum included.
#[must_use]
pub fn agent_well_formed(token: &str) -> bool {
    formed(AGENT_TOKEN_PREFIX, token)
}

fn formed(prefix: &str, token: &str) -> bool {
    let Some(rest) = token.strip_prefix(prefix) else {
        return false;
    };
    rest.len() == BODY + CHECK
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        && rest
            .split_at_checked(BODY)
            .is_some_and(|(body, sum)| check(body) == sum)
}

fn check(body: &str) -> String {
    base62(&crc32(body.as_bytes()).to_be_bytes(), CHECK)
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// Bytes from hex; `None` when it is none.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |d: u8| char::from(d).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// The bytes as one big-endian number, in base 62, with leading zeros to `width` digits.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut out = vec![b'0'; width];
    for place in out.iter_mut().rev() {
        let mut rest = 0u32;
        for b in &mut number {
            let n = rest << 8 | u32::from(*b);
            *b = (n / 62) as u8;
            rest = n % 62;
        }
        *place = DIGITS[rest as usize];
    }
    out.into_iter().map(char::from).collect()
}

/// CRC-32 as in IEEE 802.3, bit by bit: it runs once per call over 43 bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| {
            if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn known_answers() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62(&[0, 0], 3), "000");
        assert_eq!(unhex("00fFa9"), Some(vec![0, 255, 169]));
        for bad in ["0", "+1", "0x", "é"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
        assert_eq!(base62(&[0xFF; 32], BODY).len(), BODY);
        assert_eq!(base62(&62u32.to_be_bytes(), 4), "0010");
        assert_eq!(
            hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn tokens_are_well_formed_and_any_typing_error_shows() {
        let mut rng = StdRng::seed_from_u64(7);
        for _ in 0..200 {
            let t = token(&mut rng);
            assert!(well_formed(&t), "{t}");
            let at = TOKEN_PREFIX.len() + (rng.next_u32() as usize) % (BODY + CHECK);
            let other = if &t[at..=at] == "x" { "y" } else { "x" };
            let wrong = format!("{}{other}{}", &t[..at], &t[at + 1..]);
            assert!(!well_formed(&wrong), "{wrong}");
            let of_agents = agent_token(&mut rng);
            assert!(agent_well_formed(&of_agents) && !well_formed(&of_agents) && !agent_well_formed(&t));
        }
        for t in [
            "",
            "car_",
            "car_ä",
            "ghp_0000",
            "car_0000000000000000000000000000000000000000000000000000",
        ] {
            assert!(!well_formed(t), "{t}");
        }
    }

    #[test]
    fn secrets_differ_and_are_long() {
        let mut rng = StdRng::seed_from_u64(1);
        let (a, b) = (session(&mut rng), session(&mut rng));
        assert_ne!(a, b);
        assert_eq!((a.len(), code(&mut rng).len()), (43, 22));
        assert!(same(&a, &a.clone()) && !same(&a, &b));
    }
}
