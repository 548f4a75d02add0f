//! The processes a step left: found as this process's children, because it is their subreaper, and killed.
//!
//! **Invariant:** after `sweep` this process has no child, however a step forked, detached or ignored signals.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// Kills and reaps until none is left. Each round ends one generation; the next becomes ours when its parent dies.
pub(super) fn sweep() {
    let mut pause = Duration::from_micros(50);
    loop {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => pause = Duration::from_micros(50),
            Ok(None) => {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            Err(_) => return,
        }
    }
}

/// Children of all threads of this process.
fn children() -> Vec<Pid> {
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

/// Kills the processes of a session whose leader, a runner, was killed itself. Best effort: what left the session too is
/// not found.
pub(super) fn kill_session(leader: u32) {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|n| n.parse().ok())
            .and_then(Pid::from_raw)
        else {
            continue;
        };
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        if session(&stat) == Some(leader) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The session in a line of `/proc/PID/stat`; the command before it may hold anything.
fn session(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_whatever_the_command_is_called() {
        for (stat, expected) in [
            ("17 (sh) S 1 17 9 0 -1", Some(9)),
            ("17 (a) b) 5 5 5) S 1 17 23 0", Some(23)),
            ("", None),
        ] {
            assert_eq!(session(stat), expected);
        }
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(session(&own).is_some());
    }
}
