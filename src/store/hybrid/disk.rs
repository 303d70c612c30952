//! [`Disk`]: foyer's block engine, with a bound on the bytes that wait to be written.
//!
//! Foyer silently drops records that its queue or buffer has no room for. So the waiting bytes are
//! counted here, and a record beyond the bound is refused here. Then its key is known, and an older
//! version on disk can be deleted. Foyer's own bounds are higher than ours and are never reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder, HybridCachePolicy,
    Load, PsyncIoEngineConfig, RecoverMode,
};

use super::eviction::OldestFirst;
use super::folder::{Folder, PAGE};
use super::gathering::Gathering;
use super::places::{Place, Places};
use super::value::{Queue, Ticket, Value};
use crate::store::error::OpenError;
use crate::store::front::Found;
use crate::store::key::CacheKey;
use crate::store::record::Record;
use crate::store::usage::Usage;

/// Bytes that foyer writes in front of an entry.
const ENTRY_HEADER: u64 = 36;
/// Bytes of the queue that are reserved for the tombstones of deleted keys.
const RESERVE: u64 = 1 << 20;
/// Longest wait for the disk when it is flushed, checked or read.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Disk {
    cache: HybridCache<CacheKey, Value>,
    folder: PathBuf,
    gathering: Gathering,
    places: Arc<Places>,
    queue: Arc<Queue>,
    capacity: u64,
    largest: u64,
    limit: u64,
    healthy: AtomicBool,
    closed: AtomicBool,
    errors: AtomicU64,
    writes: AtomicU64,
    marks: AtomicU64,
}

impl Disk {
    /// Opens the engine over the blocks in `folder`.
    pub(super) async fn open(folder: Folder, write_buffer_bytes: u64) -> Result<Disk, OpenError> {
        let failed = |error: foyer::Error| OpenError::Engine {
            path: folder.path().to_owned(),
            reason: error.to_string(),
        };
        let capacity = folder.block_bytes * folder.block_count;
        let limit = write_buffer_bytes / PAGE * PAGE;
        let buffer = usize::try_from(limit + RESERVE + PAGE).unwrap_or(usize::MAX);
        let device = FsDeviceBuilder::new(folder.blocks())
            .with_capacity(usize::try_from(capacity).unwrap_or(usize::MAX))
            .build()
            .map_err(failed)?;
        let places = Arc::new(Places::new(&folder));
        let engine = BlockEngineConfig::new(device)
            .with_block_size(folder.block_bytes as usize)
            .with_buffer_pool_size(buffer)
            .with_submit_queue_size_threshold(buffer)
            .with_flushers(1)
            .with_reclaimers(1)
            .with_tombstone_log(false)
            .with_eviction_pickers(vec![Box::new(OldestFirst::new(&folder.written, places.clone()))]);
        let cache = HybridCacheBuilder::new()
            .with_name("tintype-disk")
            .with_policy(HybridCachePolicy::WriteOnInsertion)
            .with_flush_on_close(false)
            // The memory half of foyer is not used.
            .memory(1)
            .with_shards(1)
            .storage()
            .with_io_engine_config(PsyncIoEngineConfig::new())
            .with_recover_mode(RecoverMode::Quiet)
            .with_engine_config(engine)
            .build()
            .await
            .map_err(failed)?;
        let path = folder.path().to_owned();
        let queue =
            Arc::new(Queue { pending: AtomicU64::new(0), dropped: AtomicU64::new(0), lock: folder.lock });
        Ok(Disk {
            gathering: Gathering::new(cache.clone(), limit),
            cache,
            folder: path,
            places,
            queue,
            capacity,
            largest: limit.min(folder.block_bytes - PAGE),
            limit,
            healthy: AtomicBool::new(true),
            closed: AtomicBool::new(false),
            errors: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            marks: AtomicU64::new(0),
        })
    }

    /// Whether the disk may have `key`. Looks into the index only, without I/O.
    pub(super) fn may_contain(&self, key: &CacheKey) -> bool {
        // After the close, the blocks may belong to another process.
        // The batch is asked before the index, because records move from the batch to the index.
        !self.is_closed() && (self.gathering.has(key) || self.cache.storage().may_contains(key))
    }

    /// Writes `record` in place of the entry under `key`. If there is no room for it, the record is
    /// dropped and the old entry is deleted. `durable` says whether its sequence number may reach
    /// the disk.
    pub(super) fn replace(&self, key: CacheKey, record: Arc<Record>, durable: bool) {
        self.places.forget(&key);
        let was_there = self.may_contain(&key);
        // The head is encoded before the lock is taken.
        let head = if durable && self.is_healthy() { encoded(&record) } else { None };
        let mut hold = self.gathering.hold();
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        hold.drop_waiting(&key);
        // The old version is deleted first. Foyer would serve it until the new one is written.
        if was_there || self.is_healthy() {
            self.cache.storage().delete(&key);
        }
        let admitted = head.and_then(|head| self.admit(&key, record, head));
        match admitted {
            Some(value) => {
                self.writes.fetch_add(1, Ordering::Relaxed);
                hold.put(key, value);
            }
            None => {
                self.queue.dropped.fetch_add(1, Ordering::Relaxed);
                if was_there {
                    self.mark_gone(key);
                }
            }
        }
    }

    fn admit(&self, key: &CacheKey, record: Arc<Record>, head: Vec<u8>) -> Option<Value> {
        let bytes = on_disk(key.as_bytes().len() + head.len() + record.body().len());
        if bytes > self.largest {
            return None;
        }
        let ticket = Ticket::for_record(&self.queue, bytes, self.limit)?;
        Some(Value::Outbound { record, head, ticket })
    }

    /// Deletes the entry under `key`, also for the next process.
    pub(super) fn remove(&self, key: &CacheKey) {
        self.places.forget(key);
        let mut hold = self.gathering.hold();
        if !self.closed.load(Ordering::Acquire) {
            hold.drop_waiting(key);
            self.cache.storage().delete(key);
            self.mark_gone(key.clone());
        }
    }

    /// Deletes the entry under `key` from the index. It may be back after a restart.
    pub(super) fn forget(&self, key: &CacheKey) {
        self.places.forget(key);
        let mut hold = self.gathering.hold();
        if !self.closed.load(Ordering::Acquire) {
            let waited = hold.drop_waiting(key);
            self.cache.storage().delete(key);
            if waited {
                // The dropped record would have replaced the entry on disk, which must not be back
                // after a restart.
                self.mark_gone(key.clone());
            }
        }
    }

    /// Writes a tombstone over `key`. It also replaces a record that waits to be written, which
    /// foyer's own delete does not reach.
    fn mark_gone(&self, key: CacheKey) -> Option<u64> {
        let bytes = on_disk(key.as_bytes().len() + 16);
        let ticket = Ticket::for_mark(&self.queue, bytes, self.limit + RESERVE)?;
        let number = self.marks.fetch_add(1, Ordering::Relaxed);
        self.cache.storage_writer(key).insert(Value::Gone { number, _ticket: ticket });
        Some(number)
    }

    /// The record under `key` and its place, if the place is known and the page cache has the
    /// record.
    pub(super) fn load_at_once(&self, key: &CacheKey) -> Option<(Place, Arc<Record>)> {
        // After the close, the blocks may belong to another process.
        if self.is_closed() { None } else { self.places.read(key) }
    }

    /// Whether the record that [`load_at_once`](Self::load_at_once) found is still there. The
    /// caller holds the lock of the key.
    pub(super) fn is_there(&self, key: &CacheKey, place: Place) -> bool {
        !self.is_closed() && self.places.is_sure(key, place)
    }

    /// Notes the place of `record`, which was just loaded, for the next read. The caller holds the
    /// lock of the key.
    pub(super) fn note_place(&self, key: &CacheKey, record: &Record) {
        if !self.is_closed() && !self.places.confirm(key, record) && self.places.should_look() {
            let places = self.places.clone();
            tokio::task::spawn_blocking(move || places.look());
        }
    }

    /// Reads the entry under `key`. An entry that cannot be read counts as an error, unless it is
    /// `excused` by then.
    pub(super) async fn load(&self, key: &CacheKey, excused: impl Fn() -> bool) -> Found {
        if let Some(record) = self.gathering.get(key) {
            return Found::Record(record);
        }
        let loaded = tokio::time::timeout(PATIENCE, self.cache.storage().load(key)).await;
        let odd = match loaded {
            Ok(Ok(Load::Entry { value, .. })) => return found(&value),
            Ok(Ok(Load::Piece { piece, .. })) => return found(piece.value()),
            Ok(Ok(Load::Throttled)) => return Found::Nothing,
            Ok(Ok(Load::Miss)) => "damaged, or another key's".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the disk does not answer".to_owned(),
        };
        if excused() {
            return Found::Nothing;
        }
        self.errors.fetch_add(1, Ordering::Relaxed);
        // The key is not logged, because query strings hold secrets.
        tracing::warn!(reason = odd, "stored response could not be read back");
        Found::Nothing
    }

    /// Whether a tombstone can be written and read back.
    pub(super) async fn probe(&self, key: &CacheKey) -> bool {
        let storage = self.cache.storage();
        // Foyer recovers only entries whose numbers rise within a block, so this write takes the
        // lock like any other.
        let mark_gone = || {
            let _hold = self.gathering.hold();
            self.mark_gone(key.clone())
        };
        {
            let _hold = self.gathering.hold();
            // Without the delete, the load would find the probe before this one.
            storage.delete(key);
        }
        let read_back = async {
            let mut mark = mark_gone();
            storage.wait().await;
            if mark.is_none() {
                // The queue was full at the first attempt.
                mark = mark_gone();
                storage.wait().await;
            }
            let loaded = storage.load(key).await;
            matches!(loaded, Ok(Load::Entry { value: Value::WasGone(found), .. }) if Some(found) == mark)
        };
        tokio::time::timeout(PATIENCE, read_back).await.unwrap_or(false)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    /// Sets whether records are written. Returns true if that is a change.
    pub(super) fn set_healthy(&self, healthy: bool) -> bool {
        self.healthy.swap(healthy, Ordering::AcqRel) != healthy
    }

    /// Number of records handed to the writer so far.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Writes all waiting records. Returns true if all of them were written. Only the first call
    /// has an effect.
    pub(super) async fn close(&self) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.gathering.hold().hand_over();
        match tokio::time::timeout(PATIENCE, self.cache.close()).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => tracing::error!(%error, "disk cache was not flushed"),
            Err(_) => tracing::error!("disk cache was not flushed: the disk does not answer"),
        }
        false
    }

    /// Unlocks the folder for another process. Nothing may be written there from now on.
    pub(super) fn unlock(&self) {
        if let Err(error) = rustix::fs::flock(&self.queue.lock, rustix::fs::FlockOperation::Unlock) {
            tracing::warn!(%error, "the cache folder stays locked until the end");
        }
    }

    pub(super) fn add_usage(&self, usage: &mut Usage) {
        usage.disk_capacity = self.capacity;
        usage.disk_healthy = self.is_healthy() && !self.is_closed();
        usage.disk_dropped = self.queue.dropped.load(Ordering::Relaxed);
        usage.disk_at_once = self.places.reads();
        usage.disk_errors = self.errors.load(Ordering::Relaxed);
    }
}

fn encoded(record: &Record) -> Option<Vec<u8>> {
    record.encode_head().inspect_err(|error| tracing::debug!(%error, "not stored on disk")).ok()
}

/// Bytes that an entry takes on disk and in the write buffer: header and value, rounded up to
/// pages.
fn on_disk(bytes: usize) -> u64 {
    (bytes as u64).saturating_add(ENTRY_HEADER).next_multiple_of(PAGE)
}

fn found(value: &Value) -> Found {
    match value {
        Value::Outbound { record, .. } | Value::Record(record) => Found::Record(record.clone()),
        Value::Gone { .. } | Value::WasGone(_) => Found::Nothing,
    }
}
