//! A bounded map from cache keys to what is remembered of them. When it is full, the older half
//! goes.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::store::CacheKey;

/// At most `MAX` values by the hash of their key: keys are as long as clients make them. Two keys
/// that share a hash share a value.
pub(crate) struct RecentKeys<V, const MAX: usize> {
    hasher: RandomState,
    entries: Mutex<HashMap<u64, (V, Timestamp)>>,
}

impl<V, const MAX: usize> Default for RecentKeys<V, MAX> {
    fn default() -> Self {
        RecentKeys { hasher: RandomState::new(), entries: Mutex::default() }
    }
}

impl<V: Clone, const MAX: usize> RecentKeys<V, MAX> {
    /// What is remembered of `key`, and since when.
    pub(crate) fn get(&self, key: &CacheKey) -> Option<(V, Timestamp)> {
        self.entries.lock().get(&self.hasher.hash_one(key)).cloned()
    }

    /// Remembers `value` of `key`, from `now` on.
    pub(crate) fn insert(&self, key: &CacheKey, value: V, now: Timestamp) {
        let key = self.hasher.hash_one(key);
        let mut entries = self.entries.lock();
        if entries.len() >= MAX && !entries.contains_key(&key) {
            let mut times: Vec<Timestamp> = entries.values().map(|(_, since)| *since).collect();
            let (_, median, _) = times.select_nth_unstable(MAX / 2);
            let median = *median;
            entries.retain(|_, (_, since)| *since > median);
        }
        entries.insert(key, (value, now));
    }

    /// Forgets `key`.
    pub(crate) fn remove(&self, key: &CacheKey) {
        self.entries.lock().remove(&self.hasher.hash_one(key));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_half_stays() {
        let keys = RecentKeys::<u64, 100>::default();
        let key = |number: u64| CacheKey::new(number.to_be_bytes());
        let max = 100;
        (0..=max).for_each(|number| keys.insert(&key(number), number, Timestamp(number)));
        assert_eq!(keys.len(), 50);
        for (number, stays) in [(0, false), (max / 2, false), (max / 2 + 1, true), (max, true)] {
            assert_eq!(keys.get(&key(number)), stays.then_some((number, Timestamp(number))), "{number}");
        }
        keys.remove(&key(max));
        assert_eq!(keys.get(&key(max)), None);
    }
}
