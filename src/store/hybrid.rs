//! [`HybridStore`]: the memory tier in front of a disk tier, which is foyer's block engine used as
//! a byte store.
//!
//! Only the storage half of foyer is used, and only to write, load and delete. Its promotion, its
//! `fetch` and its `clear` are not used. A lookup asks `get_memory`, then the index of the engine
//! (no I/O), then reads once from disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::config::Config;
use super::error::OpenError;
use super::front::{Found, Front};
use super::interface::Store;
use super::key::{CacheKey, Handle};
use super::ledger::Ledger;
use super::listing::{self, Page, Query};
use super::record::Record;
use super::scope::{Kind, Scope};
use super::usage::Usage;
use crate::clock::Timestamp;
use crate::tasks;

mod canary;
mod disk;
mod eviction;
mod folder;
mod gathering;
mod places;
mod value;

use disk::Disk;
use folder::Folder;

/// Number of times a read starts over because the key changed meanwhile. Then it is a miss.
const ATTEMPTS: usize = 3;

/// A store in memory and on disk; see the [module](self).
pub struct HybridStore {
    inner: Arc<Inner>,
    canary: Mutex<Option<JoinHandle<Option<()>>>>,
    /// Asks the canary task to end.
    is_closing: Arc<AtomicBool>,
}

struct Inner {
    front: Front,
    disk: Arc<Disk>,
    /// The file that the listing is saved to by an orderly shutdown.
    listing: PathBuf,
}

impl HybridStore {
    /// Opens the store in `dir`, which is created if it is missing. Records stored there before are
    /// served again, unless they were purged or the sizes in `config` have changed. `config.dir` is
    /// ignored.
    pub async fn open(dir: &Path, config: &Config) -> Result<HybridStore, OpenError> {
        let (folder, ledger) = {
            let (path, config) = (dir.to_owned(), config.clone());
            let prepared = tokio::task::spawn_blocking(move || prepare(&path, &config)).await;
            prepared
                .map_err(|error| OpenError::Engine { path: dir.to_owned(), reason: error.to_string() })??
        };
        let front = Front::new(ledger, config.memory_bytes, folder.block_bytes, config.max_listed);
        let (path, is_empty) = (folder.listing(), folder.written.is_empty());
        let disk = Arc::new(Disk::open(folder, config.write_buffer_bytes).await?);
        match listing::file::take(&path, config.max_listed) {
            Some((mut entries, complete)) => {
                entries.retain(|entry| disk.may_contain(&entry.key));
                front.listing.take_over(entries, complete);
            }
            None => front.listing.take_over(Vec::new(), is_empty),
        }
        let inner = Arc::new(Inner { front, disk, listing: path });
        canary::check(&inner.disk).await;
        let is_closing = Arc::new(AtomicBool::new(false));
        let is_told = {
            let is_closing = Arc::clone(&is_closing);
            move || is_closing.load(Ordering::Relaxed)
        };
        let checking = canary::run(Arc::downgrade(&inner.disk), config.canary_interval);
        let canary = tasks::vital("disk-check", is_told, checking);
        Ok(HybridStore { inner, canary: Mutex::new(Some(canary)), is_closing })
    }

    fn stop_canary(&self) -> Option<JoinHandle<Option<()>>> {
        self.is_closing.store(true, Ordering::Relaxed);
        let canary = self.canary.lock().take();
        canary.inspect(JoinHandle::abort)
    }
}

pub(super) fn is_locked(dir: &Path) -> bool {
    folder::is_locked(dir)
}

pub(super) fn check(dir: &Path, config: &Config) -> Result<(), OpenError> {
    folder::check(dir, config.disk_bytes, config.block_bytes)
}

fn prepare(dir: &Path, config: &Config) -> Result<(Folder, Ledger), OpenError> {
    let folder = Folder::open(dir, config.disk_bytes, config.block_bytes)?;
    let path = folder.ledger();
    let ledger = Ledger::open(&path, config.max_ledger_entries, || folder.wipe());
    let ledger = ledger.map_err(|source| OpenError::Folder { path, source })?;
    Ok((folder.prepare()?, ledger))
}

impl Inner {
    async fn get_disk(&self, key: &CacheKey) -> Option<Arc<Record>> {
        for _ in 0..ATTEMPTS {
            if let Some(record) = self.front.get(key.as_bytes()) {
                return Some(record);
            }
            if let Some((place, record)) = self.disk.load_at_once(key) {
                let mut turn = self.front.turns.take(key.as_bytes());
                if self.disk.is_there(key, place) && self.front.keep(&mut turn, key, &record) {
                    return Some(record);
                }
            }
            if !self.disk.may_contain(key) {
                return None;
            }
            let boarded = self.front.turns.board(key);
            let flight = &boarded.flight;
            let found = flight.found.get_or_init(|| self.disk.load(key, || flight.overtaken())).await;

            let mut turn = self.front.turns.take(key.as_bytes());
            if flight.overtaken() {
                drop(turn);
                continue;
            }
            if let Found::Record(record) = found
                && self.front.keep(&mut turn, key, record)
            {
                self.disk.note_place(key, record);
                return Some(record.clone());
            }
            // The record was purged, removed or damaged: another read would give the same.
            self.disk.forget(key);
            self.front.listing.forget_key(key.as_bytes());
            return None;
        }
        None
    }
}

impl Store for HybridStore {
    fn get_memory(&self, key: &[u8]) -> Option<Arc<Record>> {
        self.inner.front.get(key)
    }

    fn get_disk<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<Record>>> {
        Box::pin(self.inner.get_disk(key))
    }

    fn peek<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<(Arc<Record>, bool)>> {
        Box::pin(async move {
            let Inner { front, disk, .. } = &*self.inner;
            if let Some(record) = front.peek(key.as_bytes()) {
                return Some((record, true));
            }
            if !disk.may_contain(key) {
                return None;
            }
            // A key that changes during the load does not count as a disk error.
            match disk.load(key, || true).await {
                Found::Record(record) => Some((record, false)),
                Found::Nothing => None,
            }
        })
    }

    fn put(&self, key: CacheKey, record: Arc<Record>) {
        let Inner { front, disk, .. } = &*self.inner;
        let mut turn = front.turns.take(key.as_bytes());
        if front.keep(&mut turn, &key, &record) {
            turn.overtake(key.as_bytes());
            let durable = front.ledger.is_durable(record.sequence);
            disk.replace(key, record, durable);
        }
    }

    fn remove(&self, key: &CacheKey) {
        let Inner { front, disk, .. } = &*self.inner;
        let mut turn = front.turns.take(key.as_bytes());
        front.forget(&mut turn, key.as_bytes());
        turn.overtake(key.as_bytes());
        disk.remove(key);
    }

    fn next_sequence(&self) -> u64 {
        self.inner.front.ledger.next_sequence()
    }

    fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool {
        self.inner.front.ledger.is_purged(handles, sequence)
    }

    fn is_softened(&self, handles: &[Handle], sequence: u64) -> bool {
        self.inner.front.ledger.stale_since(handles, sequence).is_some()
    }

    fn stale_since(&self, record: &Record) -> Option<Timestamp> {
        self.inner.front.stale_since(record)
    }

    fn purge_all(&self, scopes: &[Scope], kind: Kind) -> std::io::Result<()> {
        self.inner.front.ledger.purge(scopes, kind)
    }

    fn list(&self, query: &Query, after: Option<u64>, limit: usize) -> Page {
        self.inner.front.list(query, after, limit, |key| self.inner.disk.may_contain(key))
    }

    fn lists_all(&self) -> bool {
        self.inner.front.listing.is_complete()
    }

    fn drop_stored(&self, key: &CacheKey) {
        let Inner { front, disk, .. } = &*self.inner;
        let mut turn = front.turns.take(key.as_bytes());
        front.forget(&mut turn, key.as_bytes());
        turn.overtake(key.as_bytes());
        disk.forget(key);
    }

    fn usage(&self) -> Usage {
        let mut usage = self.inner.front.usage();
        self.inner.disk.add_usage(&mut usage);
        usage
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(canary) = self.stop_canary() {
                // The task ends as cancelled. Only its end matters here.
                let _ = canary.await;
            }
            if self.inner.disk.is_closed() {
                // After the unlock, the folder may belong to another process.
                return;
            }
            let flushed = self.inner.disk.close().await;
            let inner = Arc::clone(&self.inner);
            let saved = tokio::task::spawn_blocking(move || {
                inner.front.ledger.close();
                let (entries, complete) = inner.front.listing.all();
                listing::file::save(&inner.listing, entries, complete)
            });
            if !matches!(saved.await, Ok(Ok(()))) {
                tracing::warn!("the listing of what is stored was not saved: it begins empty next time");
            }
            if flushed {
                self.inner.disk.unlock();
            }
        })
    }
}

impl Drop for HybridStore {
    fn drop(&mut self) {
        self.stop_canary();
    }
}
