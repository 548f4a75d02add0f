//! Whether the kernel killed for want of memory: it counts that per container.
//!
//! **Invariant:** a count that cannot be read is one that has not changed.

use std::fs;

/// Where the count is: cgroup v2, v1. Both hold a line `oom_kill N`.
const FILES: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

/// How often it has killed so far.
pub(super) fn kills() -> u64 {
    let texts = FILES.iter().filter_map(|f| fs::read_to_string(f).ok());
    texts.filter_map(|t| count(&t)).next().unwrap_or_default()
}

fn count(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kernels_words_are_read() {
        assert_eq!(count("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), Some(2));
        assert_eq!(count("oom_kill_disable 0\n"), None);
    }
}
