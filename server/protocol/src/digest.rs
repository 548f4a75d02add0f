//! The digest of an attempt's output: XXH3-64 over blocks of 4 MiB, each block's digest the seed of the next. Up to one
//! block it is the plain XXH3-64 of the bytes.
//!
//! **Invariant:** it can be taken up again at any block's end from eight bytes, so an agent that was killed need not keep
//! the output it has already sent.

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a block.
pub const BLOCK: u64 = 4 << 20;

/// A digest in progress.
#[derive(Clone)]
pub struct Digest {
    hash: Box<Xxh3>,
    /// Bytes since the last block's end.
    filled: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self::resume(0)
    }
}

impl Digest {
    /// Goes on behind a block whose digest this is; 0 at the very beginning.
    #[must_use]
    pub fn resume(seed: u64) -> Self {
        Self {
            hash: Box::new(Xxh3::with_seed(seed)),
            filled: 0,
        }
    }

    /// Takes bytes; tells each block's digest as the block ends.
    pub fn update(&mut self, mut bytes: &[u8], mut ended: impl FnMut(u64)) {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK - self.filled).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(bytes.len().min(room));
            self.hash.update(now);
            self.filled += now.len() as u64;
            bytes = rest;
            if self.filled == BLOCK {
                let digest = self.hash.digest();
                ended(digest);
                *self = Self::resume(digest);
            }
        }
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.hash.digest()
    }
}

/// The digest of these bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.update(bytes, |_| {});
    digest.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn little_is_plain_and_much_is_taken_up_again_at_any_block() {
        assert_eq!(digest(b"words"), xxh3_64(b"words"));
        let bytes: Vec<u8> = (0..(2 * BLOCK + 77)).map(|n| ((n * 31) >> 3) as u8).collect();
        let mut ends = Vec::new();
        let mut whole = Digest::default();
        for piece in bytes.chunks(100_003) {
            whole.update(piece, |d| ends.push(d));
        }
        assert_eq!((ends.len(), whole.value()), (2, digest(&bytes)));
        for (n, seed) in ends.iter().enumerate() {
            let mut again = Digest::resume(*seed);
            again.update(&bytes[(n + 1) * BLOCK as usize..], |_| {});
            assert_eq!(again.value(), whole.value());
        }
    }
}
