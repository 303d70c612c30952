//! What both stores have in front: the memory tier, the ledger, and the order in which things happen to a key.
//!
//! The memory tier is a cache of its own rather than the memory half of foyer's hybrid cache. There, a disk load that
//! races an insert can end on the older value. Here every change to a key takes that key's [`Turn`], compares
//! sequence numbers, and the older record loses, whatever way it came.

use std::hash::RandomState;
use std::sync::Arc;

use foyer::{Cache, CacheBuilder, S3FifoConfig};

use super::ledger::Ledger;
use super::{CacheKey, Record, Usage};

mod turns;

pub(super) use turns::{Found, Turn, Turns};

/// What an entry costs beside key and record: the cache's own links and counts.
const ENTRY: usize = 256;
/// Shards of the memory tier, each with its own lock, as far as the capacity allows.
const MAX_SHARDS: usize = 16;
/// Every shard has room for so many of the largest records.
const LARGEST_PER_SHARD: u64 = 4;

/// See the [module](self).
pub(super) struct Front {
    pub(super) ledger: Ledger,
    pub(super) turns: Turns,
    memory: Cache<CacheKey, Arc<Record>, RandomState>,
    /// Weight of the heaviest record that a shard can hold.
    heaviest: usize,
}

impl Front {
    /// A memory tier of `capacity` bytes for records of up to `largest` bytes.
    pub(super) fn new(ledger: Ledger, capacity: u64, largest: u64) -> Front {
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
        Front { ledger, turns: Turns::new(), memory, heaviest: capacity / shards }
    }

    /// The record in memory, unless it was purged. Takes no turn and copies nothing.
    pub(super) fn get(&self, key: &[u8]) -> Option<Arc<Record>> {
        let record = self.peek(key)?;
        if !self.is_purged(&record) {
            return Some(record);
        }
        let _turn = self.turns.take(key);
        if self.peek(key).is_some_and(|now| Arc::ptr_eq(&now, &record)) {
            self.memory.remove(key);
        }
        None
    }

    /// Keeps `record` in memory. False if it was purged since it began, or if a younger one has been put.
    pub(super) fn keep(&self, turn: &mut Turn<'_>, key: &CacheKey, record: &Arc<Record>) -> bool {
        if self.is_purged(record) || turn.is_older(record.sequence) {
            return false;
        }
        if self.peek(key.as_bytes()).is_some_and(|now| now.sequence > record.sequence) {
            return false;
        }
        turn.note(record.sequence);
        if weight(key, record) <= self.heaviest {
            self.memory.insert(key.clone(), record.clone());
        } else {
            // It does not fit, and what it replaces must not be served any more.
            self.memory.remove(key.as_bytes());
        }
        true
    }

    /// Forgets what memory has for a key.
    pub(super) fn forget(&self, _turn: &mut Turn<'_>, key: &[u8]) {
        self.memory.remove(key);
    }

    pub(super) fn is_purged(&self, record: &Record) -> bool {
        self.ledger.is_purged(&record.handles, record.sequence)
    }

    /// The part of [`Usage`] that concerns memory and ledger.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            memory_bytes: self.memory.usage() as u64,
            memory_capacity: self.memory.capacity() as u64,
            memory_records: self.memory.entries() as u64,
            ledger_entries: self.ledger.len() as u64,
            ..Usage::default()
        }
    }

    /// The record in memory, purged or not.
    pub(super) fn peek(&self, key: &[u8]) -> Option<Arc<Record>> {
        self.memory.get(key).map(|entry| entry.value().clone())
    }
}

fn weight(key: &CacheKey, record: &Arc<Record>) -> usize {
    ENTRY + key.as_bytes().len() + record.weight()
}
