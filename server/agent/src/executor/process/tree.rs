//! What a shim that was killed left behind: found by its session, and killed.
//!
//! **Invariant:** best effort: what left the session too is not found; nothing of another session is touched.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;

/// Kills the processes of a session whose leader was killed itself. Blocking.
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
