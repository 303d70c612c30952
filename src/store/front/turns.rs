//! One thing at a time for each key, and the loads from disk that are under way.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

use crate::store::key::CacheKey;
use crate::store::record::Record;

/// Keys share a lock by hash; no lock is held across a wait.
const STRIPES: usize = 256;
/// Keys whose last sequence number a stripe remembers.
const RECENT: usize = 8;

/// The locks of all keys.
pub(in crate::store) struct Turns {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
}

#[derive(Default)]
struct Stripe {
    /// Loads under way, and how many wait for each.
    flights: HashMap<CacheKey, (Arc<Flight>, usize)>,
    /// Hash of a key and the sequence of what was last put under it: knows an older record also after the
    /// younger one left memory. A newcomer overwrites; what is forgotten so is the rare late fetch of a busy stripe.
    recent: [(u64, u64); RECENT],
}

/// A load from disk, shared by all who ask for the key meanwhile.
#[derive(Default)]
pub(in crate::store) struct Flight {
    overtaken: AtomicBool,
    pub(in crate::store) found: OnceCell<Found>,
}

/// What a load found.
#[derive(Clone)]
pub(in crate::store) enum Found {
    Record(Arc<Record>),
    /// Nothing that can be served.
    Nothing,
}

impl Flight {
    /// Whether the key changed since the load began, so that what it found may be old.
    pub(in crate::store) fn overtaken(&self) -> bool {
        self.overtaken.load(Ordering::Acquire)
    }
}

impl Turns {
    pub(super) fn new() -> Turns {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Turns { stripes, hasher: RandomState::new() }
    }

    /// The right to change what is kept under `key`.
    pub(in crate::store) fn take(&self, key: &[u8]) -> Turn<'_> {
        let hash = self.hasher.hash_one(key);
        let stripe = &self.stripes[hash as usize % STRIPES];
        Turn { stripe: stripe.lock(), hash }
    }

    /// Joins the load of `key`, or begins one. Dropping what it returns leaves it.
    pub(in crate::store) fn board<'a>(&'a self, key: &'a CacheKey) -> Boarded<'a> {
        let mut turn = self.take(key.as_bytes());
        let (flight, aboard) = turn.stripe.flights.entry(key.clone()).or_default();
        *aboard += 1;
        Boarded { turns: self, key, flight: flight.clone() }
    }
}

/// See [`Turns::take`].
pub(in crate::store) struct Turn<'a> {
    stripe: MutexGuard<'a, Stripe>,
    hash: u64,
}

impl Turn<'_> {
    /// Whether a record with a larger sequence than `sequence` is known to have been put.
    pub(super) fn is_older(&self, sequence: u64) -> bool {
        let (hash, last) = self.stripe.recent[self.slot()];
        hash == self.hash && sequence < last
    }

    /// Remembers the sequence of what is put.
    pub(super) fn note(&mut self, sequence: u64) {
        let slot = self.slot();
        self.stripe.recent[slot] = (self.hash, sequence);
    }

    /// Tells the load under way, if there is one, that what it finds is old.
    pub(in crate::store) fn overtake(&mut self, key: &[u8]) {
        if let Some((flight, _)) = self.stripe.flights.remove(key) {
            flight.overtaken.store(true, Ordering::Release);
        }
    }

    fn slot(&self) -> usize {
        (self.hash as usize / STRIPES) % RECENT
    }
}

/// See [`Turns::board`].
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
