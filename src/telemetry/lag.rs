//! [`Lag`]: number, sum and maximum of the durations from accepting a purge to its effect.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Counts durations in relaxed atomics, which do not synchronise.
#[derive(Debug, Default)]
pub struct Lag {
    count: AtomicU64,
    micros: AtomicU64,
    longest: AtomicU64,
}

impl Lag {
    /// Counts the duration `took`.
    pub fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
    }

    /// The figures at this moment.
    pub fn figures(&self) -> LagFigures {
        let seconds = |micros: &AtomicU64| micros.load(Ordering::Relaxed) as f64 / 1e6;
        LagFigures {
            count: self.count.load(Ordering::Relaxed),
            sum_seconds: seconds(&self.micros),
            max_seconds: seconds(&self.longest),
        }
    }
}

/// The figures of a [`Lag`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LagFigures {
    /// Number of durations so far.
    pub count: u64,
    /// Sum of all durations in seconds.
    pub sum_seconds: f64,
    /// The longest duration in seconds.
    pub max_seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_adds_up_and_keeps_the_longest() {
        let lag = Lag::default();
        assert_eq!(lag.figures(), LagFigures::default());
        for millis in [1, 5, 2] {
            lag.add(Duration::from_millis(millis));
        }
        assert_eq!(lag.figures(), LagFigures { count: 3, sum_seconds: 0.008, max_seconds: 0.005 });
    }
}
