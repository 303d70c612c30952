//! `Listing`: the stored responses as far as known, in a bounded index in memory by key and by
//! handle.
//!
//! The listing is a hint, and purges do not need it. It tells which responses a purge hits, what is
//! stored, and how to request it again. A record enters it when the record is put or read, and
//! leaves it when the record turns out to be gone. The reader checks each entry against the ledger
//! and both tiers, so nothing is listed that could not be served. An orderly shutdown saves the
//! listing beside the blocks. After a crash it begins empty.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::key::{CacheKey, Handle};
use super::record::{Content, Record};
use crate::clock::Timestamp;
use crate::policy::asking::Asking;
use crate::policy::purge::useful_until;

pub(super) mod file;

/// Selects stored responses that carry at least one handle of each group. Without a group it
/// selects all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(pub Vec<Vec<Handle>>);

/// A stored response in the listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The cache key that the response is stored under.
    pub key: CacheKey,
    /// Status code of the response.
    pub status: u16,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// When the response arrived, or was last validated.
    pub stored: Timestamp,
    /// Until when the response is fresh, soft purges included.
    pub fresh_until: Timestamp,
    /// Until when the response can be used without validation, fresh or stale.
    pub useful_until: Timestamp,
    /// Time that the fetch or capture took.
    pub cost: Duration,
    /// Requests that were answered with it, as far as counted.
    pub hits: u32,
    /// Whether the response is in memory. Otherwise it is on disk only.
    pub in_memory: bool,
    /// What the response shows, and how to request it again.
    pub asking: Arc<Asking>,
}

/// A page of the listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The responses, in the order in which they were noted.
    pub listed: Vec<Listed>,
    /// Where the next page begins, if there may be one.
    pub next: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: CacheKey,
    pub(super) sequence: u64,
    pub(super) handles: Arc<[Handle]>,
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) stored: Timestamp,
    pub(super) fresh_until: Timestamp,
    /// How long after `fresh_until` the response can be used.
    pub(super) window: Duration,
    pub(super) cost: Duration,
    pub(super) hits: Arc<AtomicU32>,
    pub(super) asking: Arc<Asking>,
}

impl Entry {
    /// The entry as it is listed. `since` is the moment of a soft purge.
    pub(super) fn listed(self, since: Option<Timestamp>, in_memory: bool) -> Listed {
        let fresh_until = since.map_or(self.fresh_until, |since| since.min(self.fresh_until));
        Listed {
            key: self.key,
            status: self.status,
            bytes: self.bytes,
            stored: self.stored,
            fresh_until,
            useful_until: fresh_until + self.window,
            cost: self.cost,
            hits: self.hits.load(Ordering::Relaxed),
            in_memory,
            asking: self.asking,
        }
    }
}

#[derive(Debug)]
pub(super) struct Listing {
    index: Mutex<Index>,
    most: usize,
}

#[derive(Debug, Default)]
struct Index {
    /// By the number of the entry, which counts the notes.
    entries: BTreeMap<u64, Entry>,
    by_key: HashMap<CacheKey, u64>,
    by_handle: BTreeSet<(Handle, u64)>,
    next: u64,
    /// Some stored records are not listed.
    partial: bool,
}

impl Listing {
    /// An empty listing of at most `most` records.
    pub(super) fn new(most: usize) -> Listing {
        Listing { index: Mutex::default(), most: most.max(1) }
    }

    /// Notes that `record` is kept under `key`. The hit count of the record it replaces goes on.
    pub(super) fn note(&self, key: &CacheKey, record: &Record) {
        let Content::Response { head, body } = &record.content else {
            // An index of variants replaces a response that did not vary.
            return self.forget_key(key.as_bytes());
        };
        let mut index = self.index.lock();
        let known = index.by_key.get(key).and_then(|number| index.entries.get(number));
        let hits = known.map(|known| Arc::clone(&known.hits)).unwrap_or_default();
        record.seen.count_in(&hits);
        if known.is_some_and(|known| known.sequence == record.sequence) {
            return;
        }
        let fresh_until = head.fresh_until();
        index.forget_key(key.as_bytes());
        index.add(Entry {
            key: key.clone(),
            sequence: record.sequence,
            handles: record.handles.as_slice().into(),
            status: head.status.as_u16(),
            bytes: body.len() as u64,
            stored: head.response_time,
            fresh_until,
            window: useful_until(head).since(fresh_until),
            cost: head.cost,
            hits,
            asking: Arc::clone(&record.asking),
        });
        index.bound(self.most);
    }

    /// Takes over the `entries` that the last process saved.
    pub(super) fn take_over(&self, entries: Vec<Entry>, complete: bool) {
        let mut index = self.index.lock();
        index.partial |= !complete;
        for entry in entries {
            index.forget_key(entry.key.as_bytes());
            index.add(entry);
        }
        index.bound(self.most);
    }

    pub(super) fn forget_key(&self, key: &[u8]) {
        self.index.lock().forget_key(key);
    }

    /// Forgets the entry with this number.
    pub(super) fn forget(&self, number: u64) {
        self.index.lock().forget(number);
    }

    /// Whether everything stored is listed, as far as known.
    pub(super) fn is_complete(&self) -> bool {
        !self.index.lock().partial
    }

    pub(super) fn len(&self) -> usize {
        self.index.lock().entries.len()
    }

    /// Up to `limit` entries after number `after` that match `query`, with their numbers; and the
    /// last number looked at, if there may be more.
    pub(super) fn page(&self, query: &Query, after: u64, limit: usize) -> (Vec<(u64, Entry)>, Option<u64>) {
        let index = self.index.lock();
        let numbers: Vec<u64> = match query.0.first() {
            None => index.entries.range(after + 1..).take(limit).map(|(&number, _)| number).collect(),
            Some(handles) => {
                let of = |&handle: &Handle| {
                    let range = (handle, after + 1)..=(handle, u64::MAX);
                    index.by_handle.range(range).take(limit).map(|&(_, number)| number)
                };
                let numbers: BTreeSet<u64> = handles.iter().flat_map(of).collect();
                numbers.into_iter().take(limit).collect()
            }
        };
        let last = numbers.last().copied().filter(|_| numbers.len() == limit);
        let others = query.0.get(1..).unwrap_or_default();
        let entries = numbers.into_iter().filter_map(|number| {
            let entry = index.entries.get(&number)?;
            let meant = others.iter().all(|group| group.iter().any(|handle| entry.handles.contains(handle)));
            meant.then(|| (number, entry.clone()))
        });
        (entries.collect(), last)
    }

    /// All entries, and whether they are complete.
    pub(super) fn all(&self) -> (Vec<Entry>, bool) {
        let index = self.index.lock();
        (index.entries.values().cloned().collect(), !index.partial)
    }
}

impl Index {
    fn add(&mut self, entry: Entry) {
        // Numbers begin at 1, because a page after 0 begins with the first entry.
        self.next += 1;
        let number = self.next;
        self.by_handle.extend(entry.handles.iter().map(|&handle| (handle, number)));
        self.by_key.insert(entry.key.clone(), number);
        self.entries.insert(number, entry);
    }

    fn bound(&mut self, most: usize) {
        while self.entries.len() > most {
            let Some((&oldest, _)) = self.entries.first_key_value() else { return };
            self.forget(oldest);
            self.partial = true;
        }
    }

    fn forget_key(&mut self, key: &[u8]) {
        if let Some(&number) = self.by_key.get(key) {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(entry) = self.entries.remove(&number) {
            if self.by_key.get(&entry.key) == Some(&number) {
                self.by_key.remove(&entry.key);
            }
            for &handle in entry.handles.iter() {
                self.by_handle.remove(&(handle, number));
            }
        }
    }
}

#[cfg(test)]
mod tests;
