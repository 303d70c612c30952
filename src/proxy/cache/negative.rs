//! Negative cache: keys whose last response was uncacheable, or whose origin failed recently.

use std::time::Duration;

use super::recent_keys::RecentKeys;
use crate::clock::Timestamp;
use crate::store::CacheKey;

/// Keys that are remembered at once.
const MAX_KEYS: usize = 20_000;
/// How long requests for an uncacheable response do not wait for each other.
const UNCACHEABLE_FOR: Duration = Duration::from_secs(120);
/// How long a failed origin is not asked again where a stale response can answer.
const NO_RETRY_FOR: Duration = Duration::from_secs(5);
/// How long a failure is remembered, so that the next attempt is made in the background.
const FAILED_FOR: Duration = Duration::from_secs(600);

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negative {
    /// Its last response could not be shared: each request is fetched on its own.
    Uncacheable,
    /// Its origin failed. A stale response answers, and the origin is asked in the background,
    /// unless it failed just now.
    OriginFailed {
        /// Whether the origin answered at all.
        answered: bool,
        just_now: bool,
    },
}

impl Negative {
    pub(crate) fn failed_just_now(self) -> bool {
        matches!(self, Negative::OriginFailed { just_now: true, .. })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Uncacheable,
    OriginFailed { answered: bool },
}

/// The negative cache, bounded. Two keys whose hashes are equal share an entry. That costs a fetch
/// of its own, or one that is not made for a few seconds.
#[derive(Default)]
pub(crate) struct NegativeCache(RecentKeys<Entry, MAX_KEYS>);

impl NegativeCache {
    pub(crate) fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Negative> {
        let (entry, since) = self.0.get(key)?;
        // Also right after the clock was set back.
        let ago = now.apart(since);
        match entry {
            Entry::Uncacheable => (ago < UNCACHEABLE_FOR).then_some(Negative::Uncacheable),
            Entry::OriginFailed { answered } => (ago < FAILED_FOR)
                .then_some(Negative::OriginFailed { answered, just_now: ago < NO_RETRY_FOR }),
        }
    }

    /// The response for `key` could not be shared.
    pub(crate) fn set_uncacheable(&self, key: &CacheKey, now: Timestamp) {
        self.0.insert(key, Entry::Uncacheable, now);
    }

    /// The origin failed for `key`; `answered` says whether it answered at all.
    pub(crate) fn set_failed(&self, key: &CacheKey, answered: bool, now: Timestamp) {
        self.0.insert(key, Entry::OriginFailed { answered }, now);
    }

    pub(crate) fn clear(&self, key: &CacheKey) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire() {
        let (negative, key, start) =
            (NegativeCache::default(), CacheKey::new(*b"k"), Timestamp::from_secs(1_000_000));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(negative.get(&key, start), None);
        negative.set_uncacheable(&key, start);
        assert_eq!(negative.get(&key, at(119)), Some(Negative::Uncacheable));
        assert_eq!(negative.get(&key, at(120)), None);
        negative.set_failed(&key, true, start);
        assert_eq!(
            negative.get(&key, at(4)),
            Some(Negative::OriginFailed { answered: true, just_now: true })
        );
        assert_eq!(
            negative.get(&key, at(5)),
            Some(Negative::OriginFailed { answered: true, just_now: false })
        );
        assert_eq!(negative.get(&key, at(600)), None);
        assert_eq!(negative.get(&key, start - Duration::from_secs(3600)), None);
        negative.clear(&key);
        assert_eq!(negative.get(&key, start), None);
    }

    #[test]
    fn entries_are_bounded() {
        let negative = NegativeCache::default();
        for i in 0..(MAX_KEYS as u64 * 2) {
            negative.set_uncacheable(&CacheKey::new(i.to_be_bytes()), Timestamp(i));
        }
        assert!(negative.0.len() <= MAX_KEYS);
    }
}
