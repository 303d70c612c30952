//! Stored responses: a small trait, a byte record, a hybrid of memory and disk, a memory twin, the
//! ledger of purges, and a listing of what there is. Nothing here knows what freshness is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::{Stopwatch, Timestamp};

mod error;
mod front;
pub mod hybrid;
pub mod key;
pub mod ledger;
pub mod listing;
pub mod memory;
mod metrics;
pub mod record;

pub use error::OpenError;
pub use hybrid::HybridStore;
pub use key::{CacheKey, Handle};
pub use listing::{Listed, Page, Query};
pub use memory::MemoryStore;
pub use record::{Content, Record};

/// Stored responses that the listing is asked for at a time.
const PAGE: usize = 512;

/// The store that `config` asks for: memory over disk if it names a folder, else memory only. Needs a
/// running tokio runtime, on which the disk tier then works.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, OpenError> {
    match &config.dir {
        Some(dir) => Ok(Arc::new(open_when_free(dir, config).await?)),
        None => Ok(Arc::new(MemoryStore::new(config))),
    }
}

/// Whether [`open`] would succeed, as far as that shows without creating or locking anything. A folder that another
/// process has open passes.
///
/// # Errors
/// As there.
pub fn check(config: &Config) -> Result<(), OpenError> {
    match &config.dir {
        Some(dir) => hybrid::check(dir, config),
        None => Ok(()),
    }
}

/// How often a folder that another process has open is looked at.
const LOOK: Duration = Duration::from_millis(50);

async fn open_when_free(dir: &Path, config: &Config) -> Result<HybridStore, OpenError> {
    let waited = Stopwatch::start();
    loop {
        match HybridStore::open(dir, config).await {
            Err(OpenError::Locked { .. }) if waited.elapsed() < config.lock_timeout => {
                if waited.elapsed() < LOOK {
                    tracing::info!(dir = %dir.display(), "waiting for another process to give up the cache folder");
                }
                tokio::time::sleep(LOOK).await;
            }
            opened => return opened,
        }
    }
}

/// Whether a process, this one or another, has the cache folder `dir` open.
pub fn is_locked(dir: &Path) -> bool {
    hybrid::is_locked(dir)
}

/// Keeps records by key, bounded in bytes.
///
/// A record that a purge covers is never returned (see [`ledger`]); every fault of a tier is a miss.
pub trait Store: Send + Sync + 'static {
    /// Looks in memory only: no waiting, no copy of body bytes.
    fn get_memory(&self, key: &[u8]) -> Option<Arc<Record>>;

    /// Looks on disk, after [`Store::get_memory`] said no; what is found is kept in memory too.
    fn get_disk<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<Record>>>;

    /// What lies under `key`, purged or not, and whether in memory; nothing is brought into memory by it.
    fn peek<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<(Arc<Record>, bool)>>;

    /// Keeps `record` in memory and, in the background, on disk. A record older by sequence than a purge
    /// that covers it is dropped.
    fn put(&self, key: CacheKey, record: Arc<Record>);

    /// Forgets what is stored under `key`, in every tier.
    fn remove(&self, key: &CacheKey);

    /// A sequence number larger than every one given out before, also across restarts. A fetch takes one when
    /// it begins, so that a purge during the fetch beats what the fetch stores.
    fn next_sequence(&self) -> u64;

    /// Whether a record with these handles, begun at `sequence`, has been purged since.
    fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool;

    /// Whether what began at `sequence` with these handles counts as stale by a soft purge since.
    fn is_softened(&self, handles: &[Handle], sequence: u64) -> bool;

    /// Since when `record` counts as stale by a soft purge; one load for a record that was found clear of all before.
    fn stale_since(&self, record: &Record) -> Option<Timestamp>;

    /// Makes everything stored or in flight under any of `scopes` unusable or, softly, stale, at once and durably: when it
    /// returns `Ok`, the purge survives a crash. Costs as much as there are scopes, whatever is stored.
    fn purge_all(&self, scopes: &[Scope], kind: Kind) -> std::io::Result<()>;

    /// A hard purge of one scope.
    fn purge(&self, scope: Scope) -> std::io::Result<()> {
        self.purge_all(&[scope], Kind::Hard)
    }

    /// Up to `limit` of the stored responses that `query` is about, from where an earlier page left off. Costs as much as it
    /// gives.
    fn list(&self, query: &Query, after: Option<u64>, limit: usize) -> Page;

    /// Whether the listing knows everything that is stored.
    fn lists_all(&self) -> bool;

    /// How many stored responses `query` is about, as far as they are listed. Costs as much as it counts.
    fn count(&self, query: &Query) -> u64 {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.list(query, after, PAGE);
            count += page.listed.len() as u64;
            after = page.next;
            if after.is_none() {
                return count;
            }
        }
    }

    /// Drops what is stored under `key` to make room. Unlike [`Store::remove`], it may be back after a restart.
    fn drop_stored(&self, key: &CacheKey);

    /// Drops every listed response that is of no use any more at `now`, and tells how many.
    fn drop_useless(&self, now: Timestamp) -> u64 {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.list(&Query::default(), after, PAGE);
            for useless in page.listed.iter().filter(|listed| listed.useful_until <= now) {
                self.drop_stored(&useless.key);
                count += 1;
            }
            after = page.next;
            if after.is_none() {
                return count;
            }
        }
    }

    /// Sizes and counts for `/stats` and metrics.
    fn usage(&self) -> Usage;

    /// Waits until what was put has reached the disk as far as it will, and closes the disk tier. From then on the folder may be
    /// another process's: memory goes on, what was on disk only is not found, and a purge is refused, as it would not last.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// What a purge hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every record that carries this handle.
    Handle(Handle),
    /// Every record.
    All,
}

/// How a purge hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What it hits is not used again.
    Hard,
    /// What it hits counts as stale from this moment on.
    Soft(Timestamp),
}

/// What the store holds and what befell it. Counts are since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Bytes in the memory tier.
    pub memory_bytes: u64,
    /// Bound of the memory tier in bytes.
    pub memory_capacity: u64,
    /// Records in the memory tier.
    pub memory_records: u64,
    /// Bound of the disk tier in bytes; 0 if there is none.
    pub disk_capacity: u64,
    /// Whether the disk tier takes writes; false if there is none or its canary failed.
    pub disk_healthy: bool,
    /// Records that never reached the disk because its queue or buffer was full.
    pub disk_dropped: u64,
    /// Reads from disk that failed or gave something odd, served as misses.
    pub disk_errors: u64,
    /// Reads from disk that the page cache answered on the spot.
    pub disk_at_once: u64,
    /// Purges in the ledger.
    pub ledger_entries: u64,
    /// Stored responses in the listing.
    pub listed: u64,
}

/// Where and how much to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the disk tier and the purge ledger; memory only without (purges then last as long as the process).
    pub dir: Option<std::path::PathBuf>,
    /// Bound of the memory tier in bytes, keys and heads counted.
    pub memory_bytes: u64,
    /// Bound of the disk tier in bytes; preallocated at the first start.
    pub disk_bytes: u64,
    /// Size of one disk block in bytes: the unit of eviction and the bound of one stored record.
    pub block_bytes: u64,
    /// Bytes that may wait to be written; what comes beyond is kept in memory only.
    pub write_buffer_bytes: u64,
    /// Purges kept in the ledger; the oldest are folded into one purge of everything older.
    pub max_ledger_entries: usize,
    /// Stored responses in the listing; the ones noted longest ago leave it first.
    pub max_listed: usize,
    /// How often a canary record is written and read back.
    pub canary_interval: std::time::Duration,
    /// How long to wait for another process that has the folder open to give it up.
    pub lock_timeout: std::time::Duration,
}
