//! The processes a step left: all others as PID 1 of a container, else this process's children, because it is their
//! subreaper.
//!
//! **Invariant:** after `sweep` this process has no child but those that are kept, however a step forked, detached or
//! ignored signals.

use super::kept::Kept;
use nix::sys::signal::{Signal as Every, kill};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// Kills and reaps until none is left but what is kept. Each round ends one generation; the next becomes ours when its
/// parent dies.
pub(super) fn sweep(inside: bool, kept: &mut Kept) {
    let mut pause = Duration::from_micros(50);
    // A list of children that is made while they fork may miss one: only the second empty one counts.
    let mut clear = 0;
    loop {
        let all = inside && kept.none();
        let mut left = all;
        if all {
            // -1: every process this one may signal, which in a container is every other.
            let _ = kill(nix::unistd::Pid::from_raw(-1), Every::SIGKILL);
        } else {
            for child in children().into_iter().filter(|c| !kept.holds(*c)) {
                left = true;
                let _ = kill_process(child, Signal::KILL);
            }
        }
        clear = if left { 0 } else { clear + 1 };
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, _))) => {
                kept.reaped(pid);
                pause = Duration::from_micros(50);
            }
            Err(Errno::INTR) => pause = Duration::from_micros(50),
            Ok(None) if !left && clear > 0 => return,
            Ok(None) => {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            Err(_) => return,
        }
    }
}

/// Reaps what has ended.
pub(super) fn reap(mut ended: impl FnMut(Pid, WaitStatus)) {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// Children of all threads of this process.
pub(super) fn children() -> Vec<Pid> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    lists
        .flat_map(|l| {
            l.split_whitespace()
                .filter_map(|p| Pid::from_raw(p.parse().ok()?))
                .collect::<Vec<_>>()
        })
        .collect()
}
