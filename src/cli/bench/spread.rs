//! [`Spread`]: the distribution of durations, in bounded memory.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Significant digits: a duration is exact to one part in 128.
const DIGITS: u8 = 2;
/// Longest duration in microseconds: a week. Longer ones count as this, which bounds the memory.
const LONGEST: u64 = 604_800_000_000;

/// Counts durations in buckets that grow with the duration, from one microsecond. Minimum, maximum
/// and mean are exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    /// In microseconds; `None` before the first duration.
    histogram: Option<Histogram<u64>>,
    sum: Duration,
    min: Duration,
    max: Duration,
}

impl Spread {
    /// Counts one duration.
    pub(super) fn add(&mut self, time: Duration) {
        self.min = if self.count() == 0 { time } else { self.min.min(time) };
        self.max = self.max.max(time);
        self.sum = self.sum.saturating_add(time);
        if self.histogram.is_none() {
            self.histogram = Histogram::new_with_max(LONGEST, DIGITS).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST));
        }
    }

    /// Adds all durations of `other`.
    pub(super) fn join(&mut self, other: &Spread) {
        let Some(theirs) = &other.histogram else { return };
        self.min = if self.count() == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        match &mut self.histogram {
            // Both histograms have the same bounds, so the addition fits.
            Some(mine) => mine.add(theirs).unwrap_or_default(),
            None => self.histogram = Some(theirs.clone()),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// The quantile `share` (0 to 1) by nearest rank, as exact as the buckets.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let micros = self.histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(share));
        Duration::from_micros(micros).clamp(self.min, self.max)
    }

    /// The figures of the report, in this order.
    pub(super) fn figures(&self) -> [(&'static str, Duration); 7] {
        let mean = u32::try_from(self.count()).ok().and_then(|count| self.sum.checked_div(count));
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

    /// The figures in milliseconds.
    pub(super) fn to_json(&self) -> Value {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        self.figures().into_iter().map(|(name, time)| (name.to_owned(), json!(ms(time)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_narrow_and_memory_is_bounded() {
        for micros in (0..300).chain((8..39).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
            let mut spread = Spread::default();
            spread.add(Duration::from_micros(micros));
            // Extreme values, so that minimum and maximum do not narrow the quantiles.
            spread.add(Duration::ZERO);
            spread.add(Duration::MAX);
            let found = u64::try_from(spread.quantile(0.5).as_micros()).unwrap();
            assert!(found >= micros && found - micros <= micros / 128, "{micros} {found}");
            assert!(spread.histogram.unwrap().distinct_values() < 5000);
        }
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
