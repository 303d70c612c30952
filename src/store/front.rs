//! What the memory-only store and the hybrid store share: [`Front`] has the memory tier, the
//! ledger, the listing and the locks by key.
//!
//! The memory tier is a cache of its own instead of the memory half of foyer's hybrid cache. There,
//! a load from disk that races an insert can leave the older value in memory. Here every change to
//! a key takes the [`Turn`] of that key and compares sequence numbers. The record with the lower
//! number loses, whichever way it came.

use std::hash::RandomState;
use std::sync::Arc;

use foyer::{Cache, CacheBuilder, S3FifoConfig};

use super::key::CacheKey;
use super::ledger::Ledger;
use super::listing::{Listing, Page, Query};
use super::record::Record;
use super::usage::Usage;
use crate::clock::Timestamp;

mod turns;

pub(super) use turns::{Found, Turn, Turns};

/// Estimated overhead of the memory cache for an entry in bytes, beside key and record.
const ENTRY: usize = 256;
/// Shards of the memory tier at most, each with its own lock. A small tier has fewer.
const MAX_SHARDS: usize = 16;
/// Each shard has room for at least this many of the largest records.
const LARGEST_PER_SHARD: u64 = 4;

pub(super) struct Front {
    pub(super) ledger: Ledger,
    pub(super) turns: Turns,
    pub(super) listing: Listing,
    memory: Cache<CacheKey, Arc<Record>, RandomState>,
    /// Weight in bytes of the heaviest record that a shard can hold.
    heaviest: usize,
}

impl Front {
    /// A memory tier of `capacity` bytes for records of up to `largest` bytes, and a listing of up
    /// to `max_listed` responses.
    pub(super) fn new(ledger: Ledger, capacity: u64, largest: u64, max_listed: usize) -> Front {
        let shards = capacity / largest.saturating_mul(LARGEST_PER_SHARD).max(1);
        let shards = usize::try_from(shards).unwrap_or(MAX_SHARDS).clamp(1, MAX_SHARDS);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let memory = CacheBuilder::new(capacity)
            .with_name("tintype-memory")
            .with_shards(shards)
            .with_eviction_config(S3FifoConfig::default())
            .with_hash_builder(RandomState::new())
            .with_weighter(weight)
            .build();
        let listing = Listing::new(max_listed);
        Front { ledger, turns: Turns::new(), listing, memory, heaviest: capacity / shards }
    }

    /// The record in memory, unless it was purged. Takes no lock by key and copies no body.
    pub(super) fn get(&self, key: &[u8]) -> Option<Arc<Record>> {
        let record = self.peek(key)?;
        if !self.is_purged(&record) {
            return Some(record);
        }
        let _turn = self.turns.take(key);
        if self.peek(key).is_some_and(|now| Arc::ptr_eq(&now, &record)) {
            self.memory.remove(key);
            self.listing.forget_key(key);
        }
        None
    }

    /// Keeps `record` in memory. Returns false if the record was purged since its fetch began, or
    /// if a record with a higher sequence number has been put.
    pub(super) fn keep(&self, turn: &mut Turn<'_>, key: &CacheKey, record: &Arc<Record>) -> bool {
        if self.is_purged(record) || turn.is_older(record.sequence) {
            return false;
        }
        if self.peek(key.as_bytes()).is_some_and(|now| now.sequence > record.sequence) {
            return false;
        }
        turn.note(record.sequence);
        self.listing.note(key, record);
        if weight(key, record) <= self.heaviest {
            self.memory.insert(key.clone(), record.clone());
        } else {
            // The new record is too large. The record that it replaces must not be served any more.
            self.memory.remove(key.as_bytes());
        }
        true
    }

    /// Removes the key from the memory tier and from the listing.
    pub(super) fn forget(&self, _turn: &mut Turn<'_>, key: &[u8]) {
        self.memory.remove(key);
        self.listing.forget_key(key);
    }

    /// Whether a purge covers `record`. Costs one atomic load if the record was clear at the
    /// current generation of the ledger.
    pub(super) fn is_purged(&self, record: &Record) -> bool {
        let generation = self.ledger.generation();
        if record.seen.is_clear_at(generation) {
            return false;
        }
        if self.ledger.is_purged(&record.handles, record.sequence) {
            return true;
        }
        if self.ledger.stale_since(&record.handles, record.sequence).is_none() {
            record.seen.set_clear_at(generation);
        }
        false
    }

    /// Since when `record` is stale by a soft purge. Costs one atomic load in the same case.
    pub(super) fn stale_since(&self, record: &Record) -> Option<Timestamp> {
        if record.seen.is_clear_at(self.ledger.generation()) {
            return None;
        }
        self.ledger.stale_since(&record.handles, record.sequence)
    }

    /// A page of the listing, without records that are purged or in no tier. `on_disk` says whether
    /// the disk tier has a key.
    pub(super) fn list(
        &self,
        query: &Query,
        after: Option<u64>,
        limit: usize,
        on_disk: impl Fn(&CacheKey) -> bool,
    ) -> Page {
        let (limit, mut page) = (limit.max(1), Page { listed: Vec::new(), next: after });
        while page.listed.len() < limit {
            let wanted = limit - page.listed.len();
            let (entries, next) = self.listing.page(query, page.next.unwrap_or(0), wanted);
            for (number, entry) in entries {
                let in_memory = self.memory.contains(entry.key.as_bytes());
                let purged = self.ledger.is_purged(&entry.handles, entry.sequence);
                if purged || !(in_memory || on_disk(&entry.key)) {
                    self.listing.forget(number);
                    continue;
                }
                let since = self.ledger.stale_since(&entry.handles, entry.sequence);
                page.listed.push(entry.listed(since, in_memory));
            }
            page.next = next;
            if next.is_none() {
                break;
            }
        }
        page
    }

    /// The part of [`Usage`] that concerns memory and ledger.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            memory_bytes: self.memory.usage() as u64,
            memory_capacity: self.memory.capacity() as u64,
            memory_records: self.memory.entries() as u64,
            ledger_entries: self.ledger.len() as u64,
            listed: self.listing.len() as u64,
            ..Usage::default()
        }
    }

    /// The record in memory, even if it was purged.
    pub(super) fn peek(&self, key: &[u8]) -> Option<Arc<Record>> {
        self.memory.get(key).map(|entry| entry.value().clone())
    }
}

fn weight(key: &CacheKey, record: &Arc<Record>) -> usize {
    ENTRY + key.as_bytes().len() + record.weight()
}
