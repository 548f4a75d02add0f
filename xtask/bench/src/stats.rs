//! Percentiles and clocks of the measurements.
//!
//! **Invariant:** a percentile is a value that was measured (nearest rank), never one computed between two.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Measured values, in milliseconds.
pub struct Series(Vec<f64>);

impl Series {
    /// Sorts what was measured.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value that `percent` of all are not above; 0 when nothing was measured.
    pub fn at(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }
}

/// Milliseconds of a duration.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The wall clock in nanoseconds, as `date +%s%N` prints it.
pub fn wall_ns() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_nanos() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let series = Series::new(vec![4.0, 1.0, 3.0, 2.0]);
        for (percent, value) in [(50.0, 2.0), (95.0, 4.0), (25.0, 1.0), (100.0, 4.0), (1.0, 1.0)] {
            assert_eq!(series.at(percent), value, "p{percent}");
        }
        assert_eq!(Series::new(vec![]).at(50.0), 0.0);
    }
}
