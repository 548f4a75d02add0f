//! Clocks of a process's own (libfaketime), which are set in mid-run while the machine's goes on.
//!
//! **Invariant:** only the time of day is set; what counts time that passes goes on, as when somebody sets a real clock.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rand::Rng;
use tokio::time::sleep;

use crate::inflict::{Hits, Scene, TARGET};
use crate::site::Who;

/// Where Debian has the library, one folder per architecture.
const LIBRARIES: &str = "/usr/lib";
/// How far clocks are set, seconds: back or forth an hour or a day, or right again.
const OFFSETS: [i64; 5] = [3_600, -3_600, 86_400, -86_400, 0];
/// How exactly a clock must be seen to be off, seconds: it is looked at in passing.
const STRAY: i64 = 30;

/// The clock of one process.
pub struct Clock {
    library: PathBuf,
    /// Says how far it is off; read by the library again and again.
    file: PathBuf,
    /// Seconds it is off by.
    pub offset: i64,
}

impl Clock {
    /// One that is right, for now.
    ///
    /// # Errors
    /// When the library is not there: there is no such fault without it.
    pub fn new(file: PathBuf) -> Result<Self> {
        let folders = std::fs::read_dir(LIBRARIES)?.flatten();
        let mut libraries = folders.map(|f| f.path().join("faketime/libfaketimeMT.so.1"));
        let library = libraries.find(|l| l.exists());
        let library = library.context("libfaketime is not there (Debian: faketime)")?;
        let mut clock = Self {
            library,
            file,
            offset: 0,
        };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it.
    pub fn set(&mut self, offset: i64) -> Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset:+}\n"))?;
        std::fs::rename(&new, &self.file)?;
        self.offset = offset;
        Ok(())
    }

    /// Lets a process go by it.
    pub fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}

impl Scene<'_> {
    /// Sets a clock to some other time, and waits until its process was seen to go by it.
    pub async fn clock(&mut self, who: Who) -> Result<Hits> {
        self.something_runs().await;
        self.pause(0..1000).await;
        let before = self.site.clock(who)?.offset;
        let others: Vec<i64> = OFFSETS.into_iter().filter(|o| *o != before).collect();
        let offset = others[self.random.random_range(0..others.len())];
        let amid = self.running();
        self.site.clock(who)?.set(offset)?;
        let end = std::time::Instant::now() + TARGET;
        loop {
            let seen = self.is_off(who).await?;
            if (seen - offset).abs() < STRAY {
                break;
            }
            ensure!(
                std::time::Instant::now() < end,
                "the clock of the {who:?} was set to be off by {offset} s and is seen off by {seen} s"
            );
            sleep(Duration::from_millis(50)).await;
        }
        self.pause(0..3000).await;
        Ok(Hits::new(1, amid))
    }

    /// Seconds that a clock is off: by when the server says that it heard its agent last, or when the agent says that it
    /// looked at its load last.
    async fn is_off(&self, who: Who) -> Result<i64> {
        let agents = self.site.client.get("/api/v1/agents").await?.json()?;
        let agent = &agents["items"][0];
        let at = match who {
            Who::Server => &agent["seen_at"],
            Who::Agent => &agent["load"]["at"],
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let at = at.as_str().and_then(seconds);
        Ok(at.with_context(|| format!("there is no time of the {who:?} in {agent}"))? - i64::try_from(now)?)
    }
}

/// Seconds since 1970 of a time as `2026-11-21T15:07:42.386Z`.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Years begin in March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + number(11, 13)?) * 60 + number(14, 16)?) * 60 + number(17, 19)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, want) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2024-02-29T12:00:01Z", 1_709_208_001),
            ("2026-11-21T15:07:42.386Z", 1_795_273_662),
            ("2027-01-01T00:00:00Z", 1_798_761_600),
        ] {
            assert_eq!(seconds(text), Some(want), "{text}");
        }
        assert_eq!(seconds("yesterday"), None);
    }
}
