//! The archive for people: one static binary that runs on any Linux of this architecture, with licence, README and checksum.
//!
//! **Invariant:** the same sources and tools give the same bytes; a binary that needs a loader is not packed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use crate::cargo::{self, Profile};
use crate::site;
use crate::workspace::Workspace;

/// The C compiler for static programs: SQLite, mimalloc and ring are C.
const CC: &str = "musl-gcc";

/// Builds and packs it.
pub fn build(workspace: &Workspace) -> Result<()> {
    let arch = std::env::consts::ARCH;
    let target = format!("{arch}-unknown-linux-musl");
    compiler(&target)?;
    site::build(workspace, Profile::Release)?;
    cargo::build_static(workspace, &target, CC)?;
    let binary = workspace.binary(&target);
    if needs_loader(&fs::read(&binary).with_context(|| format!("reading {}", binary.display()))?) {
        bail!("{} is not static: it names a loader", binary.display());
    }
    let name = format!("caracal-{}-{arch}-linux", env!("CARGO_PKG_VERSION"));
    let dist = workspace.path("target/dist");
    let folder = dist.join(&name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    fs::copy(&binary, folder.join("caracal"))?;
    for file in ["LICENSE", "README.md"] {
        fs::copy(workspace.path(file), folder.join(file)).with_context(|| format!("copying {file}"))?;
    }
    let archive = format!("{name}.tar.gz");
    pack(workspace, &dist, &name, &archive)?;
    fs::remove_dir_all(&folder)?;
    let bytes = fs::read(dist.join(&archive))?;
    let sum = format!("{}  {archive}\n", hex(&Sha256::digest(&bytes)));
    fs::write(dist.join(format!("{archive}.sha256")), &sum)?;
    print!("target/dist/{archive} ({:.1} MB)\n{sum}", bytes.len() as f64 / 1e6);
    Ok(())
}

/// Looks for the compiler, unless another one is named for this target.
fn compiler(target: &str) -> Result<()> {
    if std::env::var_os(cargo::cc_variable(target)).is_some() {
        return Ok(());
    }
    let there = Command::new(CC)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    there
        .map(|_| ())
        .map_err(|_| anyhow!("{CC} is missing: install Debian's `musl-tools`"))
}

/// The folder as an archive that tells nothing of who packed it, or when.
fn pack(workspace: &Workspace, dist: &Path, name: &str, archive: &str) -> Result<()> {
    let at = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(workspace.path("."))
        .output();
    let at = at.map_or_else(
        |_| String::new(),
        |o| String::from_utf8_lossy(&o.stdout).trim().to_owned(),
    );
    let mut tar = Command::new("tar")
        .args([
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mode=go=rX,u+rw,a-s",
        ])
        .arg(format!("--mtime=@{}", if at.is_empty() { "0" } else { &at }))
        .args(["-c", name])
        .current_dir(dist)
        .stdout(Stdio::piped())
        .spawn()
        .context("packing: `tar` could not be started")?;
    let mut out = GzBuilder::new().write(File::create(dist.join(archive))?, Compression::best());
    let mut packed = tar.stdout.take().context("packing: `tar` says nothing")?;
    io::copy(&mut packed, &mut out)?;
    out.finish()?.flush()?;
    if !tar.wait()?.success() {
        bail!("packing failed");
    }
    Ok(())
}

/// Whether a 64-bit ELF program names a loader (a header of type `PT_INTERP`); what is no such program does, too.
fn needs_loader(elf: &[u8]) -> bool {
    let number = |at: usize, size: usize| {
        let bytes = elf.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)))
    };
    let found = || {
        let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        (0..count)
            .map(|i| number(table + i * size, 4))
            .collect::<Option<Vec<_>>>()
    };
    !elf.starts_with(b"\x7fELF\x02\x01") || found().is_none_or(|types| types.contains(&3))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_loader_is_told_from_a_static_one() {
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        elf.resize(64 + 2 * 56, 0);
        (elf[32], elf[54], elf[56]) = (64, 56, 2);
        (elf[64], elf[64 + 56]) = (1, 2);
        assert!(!needs_loader(&elf));
        elf[64 + 56] = 3;
        assert!(needs_loader(&elf));
        elf.truncate(100);
        assert!(needs_loader(&elf) && needs_loader(b"#!/bin/sh"));
    }
}
