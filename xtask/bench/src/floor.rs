//! What the machine itself needs for the same work, measured in the same run: the denominator of every budget.
//!
//! **Invariant:** a floor starts exactly the command that the workload's step starts.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::stats::{Series, wall_ns};

/// From before the spawn of `date +%s%N` to the moment it prints, in milliseconds, `times` times.
pub fn first_command(times: usize) -> Result<Series> {
    let mut values = Vec::with_capacity(times);
    for _ in 0..times {
        let began = wall_ns();
        let printed = Command::new("date")
            .arg("+%s%N")
            .stdin(Stdio::null())
            .output()
            .context("starting date")?
            .stdout;
        let stamp: f64 = String::from_utf8_lossy(&printed)
            .trim()
            .parse()
            .context("the stamp of date")?;
        values.push((stamp - began) / 1e6);
    }
    Ok(Series::new(values))
}

/// `count` runs of `true` by `workers` threads, in runs a second.
pub fn spawn_loop(count: usize, workers: usize) -> Result<f64> {
    let left = AtomicUsize::new(count);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                        .is_ok()
                    {
                        Command::new("true").stdin(Stdio::null()).status()?;
                    }
                    Ok::<(), std::io::Error>(())
                })
            })
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a thread of the spawn loop panicked"))??;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
