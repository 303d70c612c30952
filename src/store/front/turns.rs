//! Locks by key: [`Turns`] orders the changes to each key, and shares loads from disk that are
//! under way.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

use crate::store::key::CacheKey;
use crate::store::record::Record;

/// Number of locks. Keys share a lock by hash, and no lock is held across an `await`.
const STRIPES: usize = 256;
/// Number of keys whose last sequence number a stripe remembers.
const RECENT: usize = 8;

/// The locks of all keys, in stripes.
pub(in crate::store) struct Turns {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
}

#[derive(Default)]
struct Stripe {
    /// Loads under way, and the number of requests that wait for each.
    flights: HashMap<CacheKey, (Arc<Flight>, usize)>,
    /// Hash of a key, and the sequence number of the last record put under it. This finds out an
    /// older record even after the younger one has left memory. A new key overwrites the slot, so a
    /// late fetch in a busy stripe can go unnoticed. That is rare.
    recent: [(u64, u64); RECENT],
}

/// A load from disk, shared by all requests for the key that arrive meanwhile.
#[derive(Default)]
pub(in crate::store) struct Flight {
    overtaken: AtomicBool,
    pub(in crate::store) found: OnceCell<Found>,
}

/// The result of a load from disk.
#[derive(Clone)]
pub(in crate::store) enum Found {
    Record(Arc<Record>),
    /// The disk has no record under the key, or one that cannot be served.
    Nothing,
}

impl Flight {
    /// Whether the key changed since the load began. Then its result may be old.
    pub(in crate::store) fn overtaken(&self) -> bool {
        self.overtaken.load(Ordering::Acquire)
    }
}

impl Turns {
    pub(super) fn new() -> Turns {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Turns { stripes, hasher: RandomState::new() }
    }

    /// Locks `key` for changes in any tier.
    pub(in crate::store) fn take(&self, key: &[u8]) -> Turn<'_> {
        let hash = self.hasher.hash_one(key);
        let stripe = &self.stripes[hash as usize % STRIPES];
        Turn { stripe: stripe.lock(), hash }
    }

    /// Joins the load of `key` that is under way, or begins one. Dropping the returned guard leaves
    /// it.
    pub(in crate::store) fn board<'a>(&'a self, key: &'a CacheKey) -> Boarded<'a> {
        let mut turn = self.take(key.as_bytes());
        let (flight, aboard) = turn.stripe.flights.entry(key.clone()).or_default();
        *aboard += 1;
        Boarded { turns: self, key, flight: flight.clone() }
    }
}

/// The lock of a key; see [`Turns::take`].
pub(in crate::store) struct Turn<'a> {
    stripe: MutexGuard<'a, Stripe>,
    hash: u64,
}

impl Turn<'_> {
    /// Whether a record with a higher sequence number than `sequence` is known to have been put.
    pub(super) fn is_older(&self, sequence: u64) -> bool {
        let (hash, last) = self.stripe.recent[self.slot()];
        hash == self.hash && sequence < last
    }

    /// Remembers the sequence number of the record that is put.
    pub(super) fn note(&mut self, sequence: u64) {
        let slot = self.slot();
        self.stripe.recent[slot] = (self.hash, sequence);
    }

    /// Marks the load of `key` that is under way, if any, as old.
    pub(in crate::store) fn overtake(&mut self, key: &[u8]) {
        if let Some((flight, _)) = self.stripe.flights.remove(key) {
            flight.overtaken.store(true, Ordering::Release);
        }
    }

    fn slot(&self) -> usize {
        (self.hash as usize / STRIPES) % RECENT
    }
}

/// A share in a load from disk; see [`Turns::board`].
pub(in crate::store) struct Boarded<'a> {
    turns: &'a Turns,
    key: &'a CacheKey,
    pub(in crate::store) flight: Arc<Flight>,
}

impl Drop for Boarded<'_> {
    fn drop(&mut self) {
        let mut turn = self.turns.take(self.key.as_bytes());
        let flights = &mut turn.stripe.flights;
        if let Some((flight, aboard)) = flights.get_mut(self.key)
            && Arc::ptr_eq(flight, &self.flight)
        {
            *aboard -= 1;
            if *aboard == 0 {
                flights.remove(self.key);
            }
        }
    }
}
