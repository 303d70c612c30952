//! [`Tally`]: responses and their durations by kind, errors and refusals to store by reason, fetch
//! durations by route, and savings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::histogram::{Histogram, Spread};
use super::hours::Hours;
use crate::clock::Timestamp;
use crate::message::outcome::CacheResult;

/// Counts by kind or by reason. Those of responses from the store are arrays of atomics. Those by
/// name take a lock, and belong to the miss path only.
#[derive(Debug, Default)]
pub struct Tally {
    answers: [Histogram; CacheResult::ALL.len()],
    hours: Hours,
    saved_micros: AtomicU64,
    saved_calls: AtomicU64,
    saved_bytes: AtomicU64,
    errors: ByName<AtomicU64>,
    origin_errors: ByName<AtomicU64>,
    not_stored: ByName<AtomicU64>,
    fetches: ByName<Histogram>,
}

/// How long responses of one kind took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ResponseSeconds {
    count: u64,
    mean: f64,
    median_below: Option<f64>,
    p95_below: Option<f64>,
    p99_below: Option<f64>,
}

impl ResponseSeconds {
    fn of(spread: &Spread) -> Self {
        ResponseSeconds {
            count: spread.count(),
            mean: spread.seconds / spread.count() as f64,
            median_below: spread.quantile(0.5),
            p95_below: spread.quantile(0.95),
            p99_below: spread.quantile(0.99),
        }
    }
}

impl Tally {
    /// Counts a response that took `took` and had `bytes` of body, at `now`.
    pub fn answered(&self, served: CacheResult, took: Duration, bytes: u64, now: Timestamp) {
        self.answers[served as usize].observe(took);
        self.hours.add(served, bytes, now);
    }

    /// Counts a response from the store that spared a capture of the duration `cost`.
    pub fn saved_capture(&self, cost: Duration) {
        self.saved_micros.fetch_add(u64::try_from(cost.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts a response from the store that spared a request to a remote origin.
    pub fn saved_call(&self) {
        self.saved_calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the length of a body that a 304 spared.
    pub fn saved_bytes(&self, bytes: u64) {
        self.saved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts an error response of our own by its reason.
    pub fn error(&self, reason: &'static str) {
        self.errors.get(reason).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request to an origin without a usable response, by reason.
    pub fn origin_error(&self, reason: &'static str) {
        self.origin_errors.get(reason).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a response that was not stored, by reason.
    pub fn not_stored(&self, reason: &'static str) {
        self.not_stored.get(reason).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request to the origin of `route` that took `took`, answered or failed. The number
    /// of routes is that of the configuration.
    pub fn fetched(&self, route: &str, took: Duration) {
        self.fetches.get(route).observe(took);
    }

    /// Durations of responses, by cache result.
    pub fn answers(&self) -> impl Iterator<Item = (CacheResult, Spread)> {
        CacheResult::ALL.into_iter().map(|served| (served, self.answers[served as usize].spread()))
    }

    /// Durations of responses for `/stats`, by cache result.
    pub fn response_seconds(&self) -> BTreeMap<&'static str, ResponseSeconds> {
        let seen = self.answers().filter(|(_, spread)| spread.count() > 0);
        seen.map(|(served, spread)| (served.name(), ResponseSeconds::of(&spread))).collect()
    }

    /// Durations of fetches, by route.
    pub fn fetches(&self) -> Vec<(String, Spread)> {
        self.fetches.all().into_iter().map(|(route, times)| (route, times.spread())).collect()
    }

    /// Error responses of our own, by reason.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.counts()
    }

    /// Requests to origins without a usable response, by reason.
    pub fn origin_errors(&self) -> BTreeMap<String, u64> {
        self.origin_errors.counts()
    }

    /// Responses that were not stored, by reason.
    pub fn not_stored_by_reason(&self) -> BTreeMap<String, u64> {
        self.not_stored.counts()
    }

    /// The counts of the last 48 hours.
    pub fn hours(&self) -> &Hours {
        &self.hours
    }

    /// The work that the store saved.
    pub fn savings(&self) -> Savings {
        Savings {
            browser_seconds: self.saved_micros.load(Ordering::Relaxed) as f64 / 1e6,
            origin_requests: self.saved_calls.load(Ordering::Relaxed),
            bytes_by_304: self.saved_bytes.load(Ordering::Relaxed),
        }
    }
}

/// The work that the store saved since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Savings {
    /// Seconds of browser time that the spared captures took when they were made.
    pub browser_seconds: f64,
    /// Requests to remote origins that were not sent.
    pub origin_requests: u64,
    /// Body bytes that were not sent because the client had them.
    pub bytes_by_304: u64,
}

/// One `T` for each name. Names come from our own code and configuration, never from a peer, so
/// they are bounded.
#[derive(Debug)]
struct ByName<T>(Mutex<BTreeMap<String, Arc<T>>>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        ByName(Mutex::default())
    }
}

impl<T: Default> ByName<T> {
    fn get(&self, name: &str) -> Arc<T> {
        let mut named = self.0.lock();
        match named.get(name) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(named.entry(name.to_owned()).or_default()),
        }
    }

    fn all(&self) -> Vec<(String, Arc<T>)> {
        self.0.lock().iter().map(|(name, value)| (name.clone(), Arc::clone(value))).collect()
    }
}

impl ByName<AtomicU64> {
    fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_under_its_name() {
        let tally = Tally::default();
        tally.error("timeout");
        tally.error("timeout");
        tally.not_stored("private");
        tally.fetched("shots", Duration::from_secs(2));
        tally.answered(CacheResult::Miss, Duration::from_secs(2), 7, Timestamp::default());
        assert_eq!(tally.errors(), BTreeMap::from([("timeout".to_owned(), 2)]));
        assert_eq!(tally.not_stored_by_reason()["private"], 1);
        assert_eq!(tally.fetches()[0].1.count(), 1);
        let counted: Vec<_> = tally.answers().filter(|(_, times)| times.count() > 0).collect();
        assert_eq!(counted.len(), 1);
        assert_eq!((counted[0].0, counted[0].1.seconds), (CacheResult::Miss, 2.0));
    }

    #[test]
    fn savings_add_up() {
        let tally = Tally::default();
        tally.saved_capture(Duration::from_millis(1500));
        tally.saved_capture(Duration::from_millis(500));
        tally.saved_call();
        tally.saved_bytes(1000);
        let saved = Savings { browser_seconds: 2.0, origin_requests: 1, bytes_by_304: 1000 };
        assert_eq!(tally.savings(), saved);
    }
}
