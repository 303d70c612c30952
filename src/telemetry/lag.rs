//! How long something takes from being accepted to being done: how often, in sum, and at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Relaxed atomics: figures, not synchronisation.
#[derive(Debug, Default)]
pub struct Lag {
    count: AtomicU64,
    micros: AtomicU64,
    longest: AtomicU64,
}

impl Lag {
    /// Adds one that took so long.
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

/// What [`Lag`] has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LagFigures {
    /// How often.
    pub count: u64,
    /// All of them together, in seconds.
    pub sum_seconds: f64,
    /// The longest, in seconds.
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
