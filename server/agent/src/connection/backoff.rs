//! How long to wait before the next try to connect.
//!
//! **Invariant:** waits are random over the whole window (full jitter), the window doubles up to its cap, and only a
//! session that lasted starts it anew: a server that throws everybody out is not stormed.

use rand::Rng;
use std::time::Duration;

/// The first window.
const FIRST: Duration = Duration::from_millis(200);
/// The last window: three hundred agents come back at thirty a second.
const CAP: Duration = Duration::from_secs(10);
/// A session that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// Tries in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// The wait before the next try, after a session that lasted for `lasted`, or none.
    pub fn next(&mut self, lasted: Option<Duration>, random: &mut impl Rng) -> Duration {
        if lasted.is_some_and(|l| l >= GOOD) {
            self.0 = 0;
        }
        let window = FIRST.saturating_mul(1 << self.0.min(10)).min(CAP);
        self.0 = self.0.saturating_add(1);
        window.mul_f64(random.random_range(0.0..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn windows_double_to_the_cap_and_start_anew_after_a_good_session() {
        let mut most = [Duration::ZERO; 9];
        for seed in 0..300 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut backoff = Backoff::default();
            for most in &mut most {
                *most = (*most).max(backoff.next(Some(Duration::from_millis(3)), &mut random));
            }
            assert!(backoff.next(Some(GOOD), &mut random) < FIRST);
        }
        for (i, most) in most.iter().enumerate() {
            let window = (FIRST * (1 << i)).min(CAP);
            assert!(
                *most < window && *most > window.mul_f64(0.9),
                "try {i}: at most {most:?} of {window:?}"
            );
        }
    }
}
