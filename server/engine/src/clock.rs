//! The one place where the engine reads the time, so that tests can set it.
//!
//! **Invariant:** nothing else in the engine calls the system's clocks for a decision.

use domain::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Milliseconds since some instant, by a clock that nobody sets and that goes on while the machine sleeps.
    fn elapsed(&self) -> i64;
}

/// A clock to hand around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> i64 {
        let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        at.tv_sec * 1_000 + at.tv_nsec / 1_000_000
    }
}

/// Between two looks the machine's two clocks differ by less than this, unless one was set.
const STRAY_MS: i64 = 5_000;

/// What the engine goes by: the machine's clock as it was at the last look, and the time that has passed since. When the
/// machine's clock is set, this one follows only when what stands in rows by it has moved along.
pub struct Steady {
    machine: SharedClock,
    base: Mutex<(Timestamp, i64)>,
}

impl Steady {
    /// Over the machine's clock.
    #[must_use]
    pub fn over(machine: SharedClock) -> Arc<Self> {
        let base = Mutex::new((machine.now(), machine.elapsed()));
        Arc::new(Self { machine, base })
    }

    /// How far the machine's clock was set since the last look. When it was not, this one takes over its drift.
    #[must_use]
    pub fn strayed(&self) -> Option<i64> {
        let by = self.machine.now().since(self.now());
        if by.abs() > STRAY_MS {
            return Some(by);
        }
        self.follow();
        None
    }

    /// Goes by the machine's clock as it is now.
    pub fn follow(&self) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = (self.machine.now(), self.machine.elapsed());
    }
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        let (then, elapsed) = *self.base.lock().unwrap_or_else(PoisonError::into_inner);
        then.plus(self.machine.elapsed() - elapsed)
    }

    fn elapsed(&self) -> i64 {
        self.machine.elapsed()
    }
}

/// A clock that stands where it was put.
#[derive(Debug, Default)]
pub struct TestClock {
    now: AtomicI64,
    elapsed: AtomicI64,
}

impl TestClock {
    /// A clock at an instant.
    #[must_use]
    pub fn at(ms: i64) -> Arc<Self> {
        let now = AtomicI64::new(ms);
        Arc::new(Self {
            now,
            elapsed: AtomicI64::default(),
        })
    }
    /// Lets time pass.
    pub fn advance(&self, ms: i64) {
        self.elapsed.fetch_add(ms, Ordering::SeqCst);
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
    /// Sets it, with no time passing.
    pub fn set_by(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> i64 {
        self.elapsed.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_from_time_that_passed() {
        let machine = TestClock::at(1_000);
        let steady = Steady::over(machine.clone());
        machine.advance(900_000);
        assert_eq!((steady.strayed(), steady.now()), (None, Timestamp(901_000)));
        machine.set_by(-2_000);
        assert_eq!((steady.strayed(), steady.now()), (None, Timestamp(899_000)), "drift");
        for by in [3_600_000, -7_200_000] {
            let before = steady.now();
            machine.set_by(by);
            machine.advance(10);
            assert_eq!((steady.strayed(), steady.now()), (Some(by), before.plus(10)));
            steady.follow();
            assert_eq!((steady.strayed(), steady.now()), (None, before.plus(by + 10)));
        }
    }
}
