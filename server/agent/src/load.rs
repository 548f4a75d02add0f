//! How busy the machine is: cores, memory, disk, sampled with each look at the machine.
//!
//! **Invariant:** a sample is three small reads of the kernel's memory; it starts no process and writes nothing.

use crate::clock;
use crate::facts::disk;
use domain::agent::Load;
use std::path::PathBuf;

/// Takes samples; the share of the cores is that since the sample before.
pub struct Sampler {
    data: PathBuf,
    before: Option<Ticks>,
}

/// Ticks of all cores since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Sampler {
    /// A sampler for the machine and the disk of this folder.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            before: read("/proc/stat", ticks),
        }
    }

    /// The first sample, before any time has passed.
    #[must_use]
    pub fn begun(&self) -> Load {
        Load {
            at: clock::now(),
            cpu_percent: 0,
            memory_used: read("/proc/meminfo", memory_used).unwrap_or_default(),
            disk_free: disk(&self.data).1,
        }
    }

    /// A sample of now.
    pub fn sample(&mut self) -> Load {
        let now = read("/proc/stat", ticks);
        let cpu_percent = self.before.zip(now).map_or(0, |(before, now)| busy(before, now));
        self.before = now;
        Load {
            cpu_percent,
            ..self.begun()
        }
    }
}

fn read<T>(path: &str, what: fn(&str) -> Option<T>) -> Option<T> {
    what(&std::fs::read_to_string(path).ok()?)
}

/// The `cpu` line of `/proc/stat`: user nice system idle iowait irq softirq steal; guests are in user already.
fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().find_map(|l| l.strip_prefix("cpu "))?;
    let mut all: Vec<u64> = line.split_whitespace().take(8).filter_map(|n| n.parse().ok()).collect();
    all.resize(8, 0);
    Some(Ticks {
        idle: all[3] + all[4],
        all: all.iter().sum(),
    })
}

/// Percent of the time between two samples that cores were at work.
fn busy(before: Ticks, now: Ticks) -> u32 {
    let all = now.all.saturating_sub(before.all);
    let idle = now.idle.saturating_sub(before.idle).min(all);
    u32::try_from((all - idle) * 100 / all.max(1)).unwrap_or(100)
}

/// Memory that is neither free nor given back when asked for.
fn memory_used(meminfo: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
    };
    Some(field("MemTotal")?.saturating_sub(field("MemAvailable")?) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let stat = "cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1 1 1\n";
        let before = ticks(stat).unwrap();
        assert_eq!((before.idle, before.all), (850, 1_000));
        let now = ticks("cpu  160 0 65 810 65 0 0 0 0 0\n").unwrap();
        assert_eq!(busy(before, now), 75);
        assert_eq!(busy(now, before), 0, "a counter that went back is no load");
        assert_eq!(
            memory_used("MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:   400 kB\n"),
            Some(600 * 1024)
        );
        assert_eq!((ticks("x"), memory_used("x")), (None, None));
    }

    #[test]
    fn this_machine_is_sampled() {
        let mut sampler = Sampler::new("/".into());
        let load = sampler.sample();
        assert!(
            load.cpu_percent <= 100 && load.memory_used > 1 << 20 && load.at.0 > 0,
            "{load:?}"
        );
    }
}
