//! Small disks of a site's own: an ext4 file system in a file, mounted by loop, which is filled from outside and freed again.
//!
//! **Invariant:** a disk counts as full only when the kernel says that not a byte is free; it is unmounted when this goes.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

/// Bytes of a disk: an agent takes no work with less than 128 MiB free.
const SIZE: u64 = 512 << 20;
/// By how much it is filled at first, then by less and less.
const PIECES: [u64; 4] = [64 << 20, 1 << 20, 64 << 10, 4 << 10];

/// A disk.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Makes one and mounts it at a folder.
    ///
    /// # Errors
    /// When that is not permitted here: there is no such fault without it.
    pub fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at)?;
        let image = at.with_extension("disk");
        File::create(&image)?.set_len(SIZE)?;
        // None of it is kept back for root, who is the one that fills it.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at))?;
        let disk = Self { at };
        let (total, _) = disk.room()?;
        ensure!(
            total <= SIZE,
            "{} is not the disk that was mounted there",
            disk.at.display()
        );
        Ok(disk)
    }

    /// Fills it to the last block.
    pub fn fill(&self) -> Result<()> {
        let path = self.filler();
        let file = File::options().append(true).create(true).open(&path)?;
        let mut length = file.metadata()?.len();
        for piece in PIECES {
            loop {
                match fallocate(&file, FallocateFlags::empty(), length, piece) {
                    Ok(()) => length += piece,
                    Err(Errno::NOSPC) => break,
                    Err(e) => return Err(e).with_context(|| format!("filling {}", path.display())),
                }
            }
        }
        let (_, free) = self.room()?;
        ensure!(
            free == 0,
            "{free} bytes are free on {}, which was filled",
            self.at.display()
        );
        Ok(())
    }

    /// Gives the space back.
    pub fn free(&self) -> Result<()> {
        match fs::remove_file(self.filler()) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Bytes in all, and free.
    fn room(&self) -> Result<(u64, u64)> {
        let s = statvfs(&self.at)?;
        Ok((s.f_blocks * s.f_frsize, s.f_bavail * s.f_frsize))
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(e) = run(Command::new("umount").arg(&self.at)) {
            eprintln!("chaos: {e:#}");
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let done = command.stdin(Stdio::null()).output();
    let done = done.with_context(|| format!("{name} cannot be started"))?;
    if !done.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}
