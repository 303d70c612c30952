//! [`Histogram`]: durations in fixed buckets of atomics. An observation allocates nothing and takes
//! no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds, from a hit in memory to a capture that meets its
/// deadline. A last bucket without a bound holds longer durations.
pub const BOUNDS: [u64; 19] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts durations in relaxed atomics, which do not synchronise.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Counts the duration `took`.
    pub fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| bound * 1000 < nanoseconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Number of durations so far.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The counts at this moment.
    pub fn spread(&self) -> Spread {
        Spread {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)),
            seconds: self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }
}

/// The counts of a [`Histogram`] at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Number of durations in each bucket, without those of earlier buckets. The last bucket has no
    /// bound.
    pub buckets: [u64; BUCKETS],
    /// Sum of all durations in seconds.
    pub seconds: f64,
}

impl Spread {
    /// Number of durations in all buckets.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The upper bound in seconds of the bucket that holds the quantile `part`, from 0 to 1. `None`
    /// without durations, or beyond the last bound.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = (self.count() as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets.iter().zip(BOUNDS).find_map(|(bucket, bound)| {
            seen += bucket;
            (seen >= wanted).then_some(bound as f64 / 1e6)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_bucket_whose_bound_it_does_not_pass() {
        let histogram = Histogram::default();
        assert_eq!(histogram.spread().quantile(0.5), None);
        for micros in [0, 50, 51, 60_000_000, 60_000_001, u64::MAX] {
            histogram.observe(Duration::from_micros(micros));
        }
        let spread = histogram.spread();
        assert_eq!(
            (spread.buckets[0], spread.buckets[1], spread.buckets[18], spread.buckets[19]),
            (2, 1, 1, 2)
        );
        assert_eq!(spread.count(), 6);
        assert_eq!((spread.quantile(0.1), spread.quantile(0.5)), (Some(5e-5), Some(1e-4)));
        assert_eq!(spread.quantile(0.99), None, "beyond all bounds");
    }

    #[test]
    fn the_sum_is_in_seconds() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(1500));
        histogram.observe(Duration::from_millis(250));
        assert_eq!(histogram.spread().seconds, 1.75);
    }
}
