//! How times are spread, in bounded memory however many there are.

use std::time::Duration;

use serde_json::{Value, json};

/// Buckets for each doubling: a time is told to better than one in 128.
const STEPS: u64 = 128;

/// Counts of times in buckets that grow with the time, from a microsecond on; ends and mean are exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    buckets: Vec<u64>,
    count: u64,
    sum: Duration,
    min: Duration,
    max: Duration,
}

impl Spread {
    /// Adds a time.
    pub(super) fn add(&mut self, time: Duration) {
        let at = bucket(micros(time));
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += 1;
        self.min = if self.count == 0 { time } else { self.min.min(time) };
        self.max = self.max.max(time);
        self.count += 1;
        self.sum = self.sum.saturating_add(time);
    }

    /// Adds all of `other`.
    pub(super) fn join(&mut self, other: &Spread) {
        if other.count == 0 {
            return;
        }
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The time that this share (0 to 1) of all do not exceed: by nearest rank, as exact as the buckets.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(highest(at)).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// What is told of it, in this order.
    pub(super) fn figures(&self) -> [(&'static str, Duration); 7] {
        let mean = u32::try_from(self.count).ok().and_then(|count| self.sum.checked_div(count));
        [
            ("min", self.min),
            ("mean", mean.unwrap_or_default()),
            ("median", self.quantile(0.5)),
            ("p90", self.quantile(0.9)),
            ("p95", self.quantile(0.95)),
            ("p99", self.quantile(0.99)),
            ("max", self.max),
        ]
    }

    /// The same in milliseconds.
    pub(super) fn to_json(&self) -> Value {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        self.figures().into_iter().map(|(name, time)| (name.to_owned(), json!(ms(time)))).collect()
    }
}

fn micros(time: Duration) -> u64 {
    // A week at most: that bounds the buckets.
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(604_800_000_000)
}

/// Below twice `STEPS` each microsecond has its bucket; beyond, each doubling has `STEPS`.
fn bucket(micros: u64) -> usize {
    let doublings = (micros / STEPS).checked_ilog2().unwrap_or_default();
    ((micros >> doublings) + u64::from(doublings) * STEPS) as usize
}

/// The highest of a bucket, in microseconds.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / STEPS).saturating_sub(1);
    let within = bucket - doublings * STEPS;
    ((within + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_narrow() {
        let mut last = 0;
        for micros in (0..300).chain((8..39).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
            let at = bucket(micros);
            assert!(at >= last || micros < 300, "{micros}");
            last = at;
            let highest = highest(at);
            assert!(highest >= micros && highest - micros <= micros / STEPS, "{micros} {highest}");
            assert_eq!(bucket(highest), at);
        }
        assert!(bucket(micros(Duration::MAX)) < 5000);
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let mut spread = Spread::default();
        assert_eq!((spread.quantile(0.5), spread.count()), (Duration::ZERO, 0));
        for ms in (1..=100).rev() {
            spread.add(Duration::from_millis(ms));
        }
        for (name, time) in spread.figures() {
            let expected = match name {
                "min" => 1.0,
                "mean" => 50.5,
                "median" => 50.0,
                "p90" => 90.0,
                "p95" => 95.0,
                "p99" => 99.0,
                _ => 100.0,
            };
            let ms = time.as_secs_f64() * 1e3;
            assert!((ms - expected).abs() <= expected / 100.0, "{name} {ms}");
        }
        let mut both = Spread::default();
        both.join(&spread);
        both.join(&Spread::default());
        both.add(Duration::from_micros(10));
        assert_eq!((both.count(), both.figures()[0].1), (101, Duration::from_micros(10)));
    }
}
