//! The wall clock of an agent: when things happened, for people. Timers use tokio's clock.
//!
//! **Invariant:** nothing is decided by this clock; two readings may go backwards when an administrator sets it.

use domain::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by this machine's clock.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
