//! The trait [`Store`], which both stores implement.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::key::{CacheKey, Handle};
use super::listing::{Page, Query};
use super::record::Record;
use super::scope::{Kind, Scope};
use super::usage::Usage;
use crate::clock::Timestamp;

/// Stored responses in a page of the listing that the provided methods ask for.
const PAGE: usize = 512;

/// Keeps records by key, bounded in bytes.
///
/// A record that a purge covers is never returned (see [`ledger`](super::ledger)). Every fault of a
/// tier is a miss.
pub trait Store: Send + Sync + 'static {
    /// Looks in memory only. Does not wait, and copies no body bytes.
    fn get_memory(&self, key: &[u8]) -> Option<Arc<Record>>;

    /// Looks on disk, after [`Store::get_memory`] returned nothing. A record found is also kept in
    /// memory.
    fn get_disk<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<Record>>>;

    /// The record under `key`, purged or not, and whether it is in memory. A record on disk is not
    /// brought into memory.
    fn peek<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<(Arc<Record>, bool)>>;

    /// Keeps `record` in memory and, in the background, on disk. A record is dropped if a purge
    /// with a higher sequence number covers it.
    fn put(&self, key: CacheKey, record: Arc<Record>);

    /// Removes the record under `key` from every tier.
    fn remove(&self, key: &CacheKey);

    /// A sequence number higher than all given out before, also by earlier processes. A fetch takes
    /// one when it begins, so that a purge during the fetch also covers the fetched response.
    fn next_sequence(&self) -> u64;

    /// Whether a purge since `sequence` covers a record with these handles.
    fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool;

    /// Whether a soft purge since `sequence` makes a record with these handles stale.
    fn is_softened(&self, handles: &[Handle], sequence: u64) -> bool;

    /// Since when `record` is stale by a soft purge. Costs one atomic load for a record that was
    /// found clear of all purges before.
    fn stale_since(&self, record: &Record) -> Option<Timestamp>;

    /// Makes everything stored or in flight under any of `scopes` unusable or, by a soft purge,
    /// stale. When it returns `Ok`, the purge survives a crash. The cost depends on the number of
    /// scopes, not on what is stored.
    fn purge_all(&self, scopes: &[Scope], kind: Kind) -> std::io::Result<()>;

    /// Purges one scope hard; see [`Store::purge_all`].
    fn purge(&self, scope: Scope) -> std::io::Result<()> {
        self.purge_all(&[scope], Kind::Hard)
    }

    /// Up to `limit` of the stored responses that match `query`, from where an earlier page ended.
    /// The cost depends on the number returned.
    fn list(&self, query: &Query, after: Option<u64>, limit: usize) -> Page;

    /// Whether the listing has everything that is stored.
    fn lists_all(&self) -> bool;

    /// How many listed responses match `query`. The cost depends on that number.
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

    /// Removes the record under `key` to make room. Unlike after [`Store::remove`], it may be back
    /// after a restart.
    fn drop_stored(&self, key: &CacheKey);

    /// Drops every listed response that is of no use any more at `now`. Returns their number.
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

    /// Sizes and counts for `/stats` and the metrics.
    fn usage(&self) -> Usage;

    /// Waits until the records that were put have reached the disk, and closes the disk tier. From
    /// then on the folder may belong to another process. The memory tier works on, records on disk
    /// are not found, and a purge is refused, because it would not be durable.
    fn close(&self) -> BoxFuture<'_, ()>;
}
