//! Records that wait a moment to be handed to foyer together.
//!
//! Foyer's writer starts as soon as it has one record: a thread is woken, and a page of index written, for each. What is put within a moment is handed
//! over in one go, and meanwhile read from here.

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

/// The moment: what a crash loses more.
const MOMENT: Duration = Duration::from_millis(5);
/// So many do not wait for it,
const MANY: usize = 64;
/// nor so many bytes: what is large gains nothing by it, and holds room in the write buffer meanwhile.
const MUCH: u64 = 1 << 20;

/// See the [module](self).
pub(super) struct Gathering {
    waiting: Arc<Mutex<Waiting>>,
    cache: HybridCache<CacheKey, Value>,
    runtime: Handle,
    /// Bytes that do not wait.
    much: u64,
}

#[derive(Default)]
struct Waiting {
    /// With the number by which they came.
    values: HashMap<CacheKey, (u64, Value)>,
    next: u64,
    bytes: u64,
    /// Somebody will hand them over.
    expected: bool,
}

/// The sole right to change what foyer has or will have.
pub(super) struct Hold<'a> {
    gathering: &'a Gathering,
    waiting: MutexGuard<'a, Waiting>,
}

impl Gathering {
    /// For `cache`, in front of a write buffer of `limit` bytes. Needs a running tokio runtime.
    pub(super) fn new(cache: HybridCache<CacheKey, Value>, limit: u64) -> Gathering {
        let much = MUCH.min(limit / 4);
        Gathering { waiting: Arc::default(), cache, runtime: Handle::current(), much }
    }

    /// Nothing is handed over as long as this is held.
    pub(super) fn hold(&self) -> Hold<'_> {
        Hold { gathering: self, waiting: self.waiting.lock() }
    }

    /// Whether something waits under `key`.
    pub(super) fn has(&self, key: &CacheKey) -> bool {
        self.waiting.lock().values.contains_key(key)
    }

    /// What waits under `key`.
    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<Record>> {
        match self.waiting.lock().values.get(key)? {
            (_, Value::Outbound { record, .. }) => Some(record.clone()),
            _ => None,
        }
    }
}

impl Hold<'_> {
    /// Lets `value` wait under `key`, in place of what waits there.
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

    /// Forgets what waits under `key`, and tells whether there was something.
    pub(super) fn drop_waiting(&mut self, key: &CacheKey) -> bool {
        let Some((_, value)) = self.waiting.values.remove(key) else { return false };
        self.waiting.bytes -= value.estimated_size() as u64;
        if let Value::Outbound { ticket, .. } = value {
            ticket.waive();
        }
        true
    }

    /// Hands over what waits.
    pub(super) fn hand_over(&mut self) {
        self.waiting.hand_over(&self.gathering.cache);
    }
}

impl Waiting {
    fn hand_over(&mut self, cache: &HybridCache<CacheKey, Value>) {
        // What came first is to be written first, since the oldest block is emptied first.
        let mut values: Vec<_> = self.values.drain().collect();
        self.bytes = 0;
        values.sort_unstable_by_key(|(_, (number, _))| *number);
        for (key, (_, value)) in values {
            cache.storage_writer(key).insert(value);
        }
    }
}
