//! The one place where the engine reads the time, so that tests can set it.
//!
//! **Invariant:** nothing else in the engine calls the system's clocks for a decision.

use domain::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
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
