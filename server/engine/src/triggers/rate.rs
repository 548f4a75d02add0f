//! How many deliveries are taken in a while: of each hook, and what is refused of each sender apart.
//!
//! **Invariant:** who cannot prove anything uses up nothing of those who can; what is remembered is bounded.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Milliseconds that are looked at.
const WINDOW: i64 = 10_000;
/// Deliveries of a hook in that time.
const TAKEN: u32 = 150;
/// Refusals of a sender in that time, of one hook.
const REFUSED: u32 = 60;
/// Most that is remembered; beyond, what is over goes.
const MOST: usize = 10_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// A delivery that was proved.
    Taken,
    /// One that was not.
    Refused,
}

impl Why {
    const fn limit(self) -> u32 {
        match self {
            Self::Taken => TAKEN,
            Self::Refused => REFUSED,
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub struct Rate(Mutex<HashMap<u64, Count>>);

#[derive(Debug, Clone, Copy)]
struct Count {
    since: i64,
    n: u32,
}

impl Rate {
    /// Whether there may be another one; nothing is counted.
    ///
    /// # Errors
    /// Seconds to wait.
    pub fn may(&self, why: Why, hook: i64, sender: &str, now: i64) -> Result<(), u32> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(&key(why, hook, sender)) {
            Some(c) if now - c.since < WINDOW && c.n >= why.limit() => Err(wait(c.since, now)),
            _ => Ok(()),
        }
    }

    /// Counts one.
    pub fn count(&self, why: Why, hook: i64, sender: &str, now: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, c| now - c.since < WINDOW);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let one = all.entry(key(why, hook, sender)).or_insert(Count { since: now, n: 0 });
        if now - one.since >= WINDOW {
            *one = Count { since: now, n: 0 };
        }
        one.n += 1;
    }

    /// Counts one of a hook, whoever sent it, if there may be another.
    ///
    /// # Errors
    /// Seconds to wait.
    pub fn take(&self, why: Why, hook: i64, now: i64) -> Result<(), u32> {
        self.may(why, hook, "", now)?;
        self.count(why, hook, "", now);
        Ok(())
    }
}

fn wait(since: i64, now: i64) -> u32 {
    let ms = (since + WINDOW - now).clamp(1, WINDOW);
    u32::try_from((ms + 999) / 1_000).unwrap_or(10)
}

fn key(why: Why, hook: i64, sender: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    (why, hook, sender).hash(&mut hash);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_takes_so_many_in_a_while_and_refusals_cost_the_sender_alone() {
        let rate = Rate::default();
        for n in 0..TAKEN {
            assert_eq!(rate.take(Why::Taken, 1, i64::from(n)), Ok(()), "{n}");
        }
        assert_eq!(rate.take(Why::Taken, 1, 9_000), Err(1));
        assert_eq!(
            (rate.take(Why::Taken, 2, 9_000), rate.take(Why::Taken, 1, 10_000)),
            (Ok(()), Ok(()))
        );
        for _ in 0..REFUSED {
            assert_eq!(rate.may(Why::Refused, 1, "a", 0), Ok(()));
            rate.count(Why::Refused, 1, "a", 0);
        }
        assert_eq!(rate.may(Why::Refused, 1, "a", 1), Err(10));
        assert_eq!(
            (rate.may(Why::Refused, 1, "b", 1), rate.may(Why::Refused, 2, "a", 1)),
            (Ok(()), Ok(()))
        );
        assert_eq!(rate.may(Why::Refused, 1, "a", WINDOW), Ok(()));
    }
}
