//! The digest of a spool's bytes, kept over a restart: the file `digests` holds 8 bytes for each whole block.
//!
//! **Invariant:** a block's digest is in the file before the block's bytes may be given back to the disk.

use protocol::{BLOCK, Digest};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes read at a time when a digest is taken up again.
const PIECE: usize = 256 * 1024;

/// The digest in progress.
#[derive(Default)]
pub(super) struct Blocks {
    digest: Digest,
    whole: u64,
    file: Option<File>,
}

impl Blocks {
    /// Takes up the digest of the `len` bytes that an earlier run left.
    pub fn open(folder: &Path, output: &File, len: u64) -> io::Result<Self> {
        let mut blocks = Self::default();
        if len >= BLOCK {
            let file = open(folder)?;
            let whole = (file.metadata()?.len() / 8).min(len / BLOCK);
            if whole > 0 {
                let mut last = [0; 8];
                file.read_exact_at(&mut last, (whole - 1) * 8)?;
                blocks.digest = Digest::resume(u64::from_le_bytes(last));
            }
            (blocks.whole, blocks.file) = (whole, Some(file));
        }
        let mut piece = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
        let mut at = blocks.whole * BLOCK;
        while at < len {
            let n = piece.len().min(usize::try_from(len - at).unwrap_or(PIECE));
            output.read_exact_at(&mut piece[..n], at)?;
            blocks.update(folder, &piece[..n])?;
            at += n as u64;
        }
        Ok(blocks)
    }

    /// Takes bytes that were stored.
    pub fn update(&mut self, folder: &Path, bytes: &[u8]) -> io::Result<()> {
        let Self { digest, whole, file } = self;
        let mut kept = Ok(());
        digest.update(bytes, |value| {
            let written = kept_file(file, folder).and_then(|f| f.write_all_at(&value.to_le_bytes(), *whole * 8));
            *whole += 1;
            if kept.is_ok() {
                kept = written;
            }
        });
        kept
    }

    /// Up to where bytes need not be read again for the digest.
    pub fn kept(&self) -> u64 {
        self.whole * BLOCK
    }

    /// 16 hex digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.digest.value())
    }
}

fn kept_file<'a>(file: &'a mut Option<File>, folder: &Path) -> io::Result<&'a File> {
    if file.is_none() {
        *file = Some(open(folder)?);
    }
    file.as_ref()
        .ok_or_else(|| io::Error::other("the spool's digests are not there"))
}

fn open(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("digests"))
}
