//! The trait [`Store`].

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::key::{CacheKey, Handle};
use super::listing::{Page, Query};
use super::record::Record;
use super::scope::{Kind, Scope};
use super::usage::Usage;
use crate::clock::Timestamp;

/// Stored responses that the listing is asked for at a time.
const PAGE: usize = 512;

/// Keeps records by key, bounded in bytes.
///
/// A record that a purge covers is never returned (see [`ledger`](super::ledger)); every fault of a tier is a miss.
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
