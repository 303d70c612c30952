//! The store without a disk: what it holds ends with the process.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};

use super::front::Front;
use super::ledger::Ledger;
use super::{CacheKey, Config, Handle, Record, Scope, Store, Usage};

/// Keeps records in memory only, purges too.
pub struct MemoryStore {
    front: Front,
}

impl MemoryStore {
    /// A store of `config.memory_bytes`; of the rest only `block_bytes` (the largest record that is worth room in
    /// memory) and `max_ledger_entries` matter.
    pub fn new(config: &Config) -> MemoryStore {
        let ledger = Ledger::in_memory(config.max_ledger_entries);
        MemoryStore { front: Front::new(ledger, config.memory_bytes, config.block_bytes) }
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

    fn purge(&self, scope: Scope) -> std::io::Result<()> {
        self.front.ledger.purge(scope)
    }

    fn usage(&self) -> Usage {
        self.front.usage()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}
