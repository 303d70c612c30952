//! [`Gathering`]: a batch of records that are handed to foyer together.
//!
//! Foyer's writer starts as soon as it has one record. For each start it wakes a thread and writes
//! a page of index. Records put within a few milliseconds are handed over at once, and are read
//! from the batch until then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foyer::{Code, HybridCache};
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;

use super::value::Value;
use crate::store::key::CacheKey;
use crate::store::record::Record;
use crate::tasks;

/// How long a record waits in the batch. A crash loses that much more.
const MOMENT: Duration = Duration::from_millis(5);
/// Flush at this many records.
const MANY: usize = 64;
/// Flush at this many bytes. Batching does not help large records, and they take room in the write
/// buffer meanwhile.
const MUCH: u64 = 1 << 20;

pub(super) struct Gathering {
    waiting: Arc<Mutex<Waiting>>,
    cache: HybridCache<CacheKey, Value>,
    runtime: Handle,
    /// Bytes at which this batch is flushed.
    much: u64,
}

#[derive(Default)]
struct Waiting {
    /// Each value has the number of its arrival.
    values: HashMap<CacheKey, (u64, Value)>,
    next: u64,
    bytes: u64,
    /// A task will flush the batch.
    expected: bool,
}

/// The lock of the batch. Nothing is handed to foyer while it is held.
pub(super) struct Hold<'a> {
    gathering: &'a Gathering,
    waiting: MutexGuard<'a, Waiting>,
}

impl Gathering {
    /// A batch for `cache`, in front of a write buffer of `limit` bytes. Needs a running tokio
    /// runtime.
    pub(super) fn new(cache: HybridCache<CacheKey, Value>, limit: u64) -> Gathering {
        let much = MUCH.min(limit / 4);
        Gathering { waiting: Arc::default(), cache, runtime: Handle::current(), much }
    }

    pub(super) fn hold(&self) -> Hold<'_> {
        Hold { gathering: self, waiting: self.waiting.lock() }
    }

    /// Whether a value waits under `key`.
    pub(super) fn has(&self, key: &CacheKey) -> bool {
        self.waiting.lock().values.contains_key(key)
    }

    /// The record that waits under `key`.
    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<Record>> {
        match self.waiting.lock().values.get(key)? {
            (_, Value::Outbound { record, .. }) => Some(record.clone()),
            _ => None,
        }
    }
}

impl Hold<'_> {
    /// Adds `value` under `key`, in place of a value that waits there.
    pub(super) fn put(&mut self, key: CacheKey, value: Value) {
        self.drop_waiting(&key);
        self.waiting.bytes += value.estimated_size() as u64;
        let number = self.waiting.next;
        self.waiting.next += 1;
        self.waiting.values.insert(key, (number, value));
        if self.waiting.values.len() >= MANY || self.waiting.bytes >= self.gathering.much {
            self.hand_over();
        } else if !std::mem::replace(&mut self.waiting.expected, true) {
            let (waiting, cache) = (self.gathering.waiting.clone(), self.gathering.cache.clone());
            self.gathering.runtime.spawn(tasks::named("disk-hand-over", async move {
                tokio::time::sleep(MOMENT).await;
                let mut waiting = waiting.lock();
                waiting.expected = false;
                waiting.hand_over(&cache);
            }));
        }
    }

    /// Removes the value that waits under `key`. Returns whether there was one.
    pub(super) fn drop_waiting(&mut self, key: &CacheKey) -> bool {
        let Some((_, value)) = self.waiting.values.remove(key) else { return false };
        self.waiting.bytes -= value.estimated_size() as u64;
        if let Value::Outbound { ticket, .. } = value {
            ticket.waive();
        }
        true
    }

    /// Flushes the batch to foyer.
    pub(super) fn hand_over(&mut self) {
        self.waiting.hand_over(&self.gathering.cache);
    }
}

impl Waiting {
    fn hand_over(&mut self, cache: &HybridCache<CacheKey, Value>) {
        // In the order of arrival, because the oldest block is emptied first.
        let mut values: Vec<_> = self.values.drain().collect();
        self.bytes = 0;
        values.sort_unstable_by_key(|(_, (number, _))| *number);
        for (key, (_, value)) in values {
            cache.storage_writer(key).insert(value);
        }
    }
}
