//! [`MemoryStore`]: the store without a disk. Its records end with the process.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};

use super::config::Config;
use super::front::Front;
use super::interface::Store;
use super::key::{CacheKey, Handle};
use super::ledger::Ledger;
use super::listing::{Page, Query};
use super::record::Record;
use super::scope::{Kind, Scope};
use super::usage::Usage;
use crate::clock::Timestamp;

/// Keeps records and purges in memory only.
pub struct MemoryStore {
    front: Front,
}

impl MemoryStore {
    /// A store of `config.memory_bytes`. Of the other settings, only `block_bytes` (the largest
    /// record that is kept), `max_ledger_entries` and `max_listed` matter.
    pub fn new(config: &Config) -> MemoryStore {
        let ledger = Ledger::in_memory(config.max_ledger_entries);
        MemoryStore { front: Front::new(ledger, config.memory_bytes, config.block_bytes, config.max_listed) }
    }
}

impl Store for MemoryStore {
    fn get_memory(&self, key: &[u8]) -> Option<Arc<Record>> {
        self.front.get(key)
    }

    fn get_disk<'a>(&'a self, _key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<Record>>> {
        Box::pin(ready(None))
    }

    fn peek<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<(Arc<Record>, bool)>> {
        Box::pin(ready(self.front.peek(key.as_bytes()).map(|record| (record, true))))
    }

    fn put(&self, key: CacheKey, record: Arc<Record>) {
        let mut turn = self.front.turns.take(key.as_bytes());
        self.front.keep(&mut turn, &key, &record);
    }

    fn remove(&self, key: &CacheKey) {
        let mut turn = self.front.turns.take(key.as_bytes());
        self.front.forget(&mut turn, key.as_bytes());
    }

    fn next_sequence(&self) -> u64 {
        self.front.ledger.next_sequence()
    }

    fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool {
        self.front.ledger.is_purged(handles, sequence)
    }

    fn is_softened(&self, handles: &[Handle], sequence: u64) -> bool {
        self.front.ledger.stale_since(handles, sequence).is_some()
    }

    fn stale_since(&self, record: &Record) -> Option<Timestamp> {
        self.front.stale_since(record)
    }

    fn purge_all(&self, scopes: &[Scope], kind: Kind) -> std::io::Result<()> {
        self.front.ledger.purge(scopes, kind)
    }

    fn list(&self, query: &Query, after: Option<u64>, limit: usize) -> Page {
        self.front.list(query, after, limit, |_| false)
    }

    fn lists_all(&self) -> bool {
        self.front.listing.is_complete()
    }

    fn drop_stored(&self, key: &CacheKey) {
        self.remove(key);
    }

    fn usage(&self) -> Usage {
        self.front.usage()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}
