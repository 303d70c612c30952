//! [`Hours`]: counts for each of the last 48 hours.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::message::outcome::CacheResult;

/// Hours that are kept, including the current one.
pub const HOURS: usize = 48;
const SECONDS: u64 = 3600;

/// A ring of hours. Counting takes a lock only once an hour.
#[derive(Debug)]
pub struct Hours {
    ring: [Hour; HOURS],
    turning: Mutex<()>,
}

impl Default for Hours {
    fn default() -> Self {
        Hours { ring: std::array::from_fn(|_| Hour::default()), turning: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Hour {
    /// Number of the hour since the epoch, plus one; 0 if the slot was never used.
    number: AtomicU64,
    answers: [AtomicU64; FIELDS],
}

const FIELDS: usize = 6;
const HITS: usize = 0;
const MISSES: usize = 1;
const STALE: usize = 2;
const ERRORS: usize = 3;
const BYPASSED: usize = 4;
const BYTES: usize = 5;

impl Hours {
    /// Counts a response with `bytes` of body at `now`.
    pub fn add(&self, served: CacheResult, bytes: u64, now: Timestamp) {
        let number = now.as_secs() / SECONDS + 1;
        let hour = &self.ring[number as usize % HOURS];
        if hour.number.load(Ordering::Acquire) != number {
            self.turn(hour, number);
        }
        let field = match served {
            CacheResult::HitMemory | CacheResult::HitDisk | CacheResult::Revalidated => HITS,
            CacheResult::Miss => MISSES,
            CacheResult::StaleWhileRevalidate | CacheResult::StaleAllowed | CacheResult::StaleIfError => {
                STALE
            }
            CacheResult::Error => ERRORS,
            CacheResult::Bypass => BYPASSED,
        };
        hour.answers[field].fetch_add(1, Ordering::Relaxed);
        hour.answers[BYTES].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Empties the slot `hour` for the hour `number`. A response that is counted at the same time
    /// may be lost.
    fn turn(&self, hour: &Hour, number: u64) {
        let _one = self.turning.lock();
        // If the clock was set back, a slot with a later hour stays as it is until that hour has
        // passed.
        if hour.number.load(Ordering::Acquire) < number {
            hour.answers.iter().for_each(|field| field.store(0, Ordering::Relaxed));
            hour.number.store(number, Ordering::Release);
        }
    }

    /// The last 48 hours at `now`, oldest first.
    pub fn series(&self, now: Timestamp) -> Vec<HourFigures> {
        let present = now.as_secs() / SECONDS + 1;
        (0..HOURS as u64)
            .rev()
            .filter_map(|ago| present.checked_sub(ago).filter(|number| *number > 0))
            .map(|number| {
                let hour = &self.ring[number as usize % HOURS];
                let used = hour.number.load(Ordering::Acquire) == number;
                let field = |field: usize| if used { hour.answers[field].load(Ordering::Relaxed) } else { 0 };
                let start = Timestamp::from_secs((number - 1) * SECONDS);
                HourFigures {
                    start: humantime::format_rfc3339_seconds(start.to_system()).to_string(),
                    hits: field(HITS),
                    misses: field(MISSES),
                    stale: field(STALE),
                    errors: field(ERRORS),
                    bypassed: field(BYPASSED),
                    bytes: field(BYTES),
                }
            })
            .collect()
    }
}

/// The counts of one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HourFigures {
    /// Start of the hour (RFC 3339).
    pub start: String,
    /// Requests answered from the store, with or without validation.
    pub hits: u64,
    /// Requests answered by the origin.
    pub misses: u64,
    /// Requests answered with a stale response.
    pub stale: u64,
    /// Requests that tintype itself refused, or failed to answer.
    pub errors: u64,
    /// Requests that bypassed the cache.
    pub bypassed: u64,
    /// Body bytes sent to clients.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_secs(1_761_955_200); // Sat, 01 Nov 2025 00:00:00 GMT

    #[test]
    fn hours_come_and_go() {
        let hours = Hours::default();
        let at = |minutes: u64| START + Duration::from_secs(minutes * 60);
        hours.add(CacheResult::HitMemory, 10, at(0));
        hours.add(CacheResult::Miss, 5, at(59));
        hours.add(CacheResult::StaleIfError, 1, at(60));
        let series = hours.series(at(61));
        assert_eq!(series.len(), HOURS);
        let [.., first, second] = series.as_slice() else { panic!("two hours") };
        assert_eq!(
            (first.start.as_str(), first.hits, first.misses, first.bytes),
            ("2025-11-01T00:00:00Z", 1, 1, 15)
        );
        assert_eq!((second.start.as_str(), second.stale, second.bytes), ("2025-11-01T01:00:00Z", 1, 1));
        // Two days later another hour uses the slot.
        let later = at(48 * 60);
        assert_eq!(hours.series(later)[0].stale, 1);
        assert!(hours.series(later).iter().all(|hour| hour.hits == 0));
        hours.add(CacheResult::Error, 0, later);
        let last = hours.series(later).pop().expect("an hour");
        assert_eq!((last.hits, last.errors, last.bytes), (0, 1, 0));
    }

    #[test]
    fn a_clock_that_is_turned_back_spoils_nothing() {
        let hours = Hours::default();
        let late = START + Duration::from_secs(49 * 3600);
        hours.add(CacheResult::Miss, 0, late);
        hours.add(CacheResult::Miss, 0, START + Duration::from_secs(3600));
        assert!(hours.series(late).last().is_some_and(|hour| hour.misses >= 1));
        assert_eq!(hours.series(Timestamp::default()).len(), 1);
    }
}
