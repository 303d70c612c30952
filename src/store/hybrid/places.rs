//! [`Places`]: where records are in the blocks, so that records in the page cache are read without
//! foyer.
//!
//! Foyer reads through a pool of threads. The two context switches cost more than copying the bytes
//! of a picture. Here `RWF_NOWAIT` reads records that need no disk on the calling thread.
//! Everything else is left to foyer, which alone decides which record is under a key:
//!
//! 1. The indexes in the blocks are read now and then, and give *hints*: a hash was at a place.
//! 2. When foyer has loaded a record and its hint has the same content, the place is *sure*.
//! 3. The record is read from there until the key changes. Each read checks foyer's header, its
//!    sequence number and its checksum, which detects a block that was overwritten.
//!
//! A hint may be wrong in any way, and a place may be forgotten at any time. Then foyer reads.
//!
//! ```text
//! block   a page of index, its entries at whole pages, the next index, ...
//! index   checksum u64, count u32, then for each entry:
//! hash u64, sequence u64, offset from the index u32, length u32
//! entry   length of key u32, of value u32, hash u64, sequence u64, checksum of both u64,
//! magic u32; value; key
//! ```
//!
//! Numbers are big endian, checksums XXH64 with seed 0. This is the format of foyer 0.22, to which
//! Cargo.toml pins it. `store_places` in the tests fails if it changes.

use std::collections::HashMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::{Mutex, MutexGuard};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use twox_hash::XxHash64;

use super::folder::{Folder, PAGE};
use super::value::Value;
use crate::clock::Stopwatch;
use crate::store::key::CacheKey;
use crate::store::record::Record;

/// Length of the header of an entry in bytes.
const ENTRY_HEADER_BYTES: usize = 36;
/// End of the header of an entry that is not compressed.
const ENTRY_MAGIC: u32 = 0x9703_2700;
/// Length of the header of an index, and of each of its entries, in bytes.
const INDEX: (usize, usize) = (12, 24);
/// Longest entry that is read on the calling thread. A longer copy would delay the other requests
/// of the thread.
const MAX_READ_BYTES: u32 = 1 << 20;
/// Number of locks, each over its part of the hashes.
const SHARDS: usize = 16;
/// Bound on the places of a shard.
const MAX_PLACES_PER_SHARD: usize = 4096;
/// Least time between two scans of the indexes.
const SCAN_INTERVAL: Duration = Duration::from_millis(500);

/// The places of the records in all blocks. The default has no blocks.
#[derive(Default)]
pub(super) struct Places {
    /// File handles of our own. Empty if the limit on open files is too low for them.
    blocks: Vec<File>,
    block_bytes: u64,
    hasher: foyer::DefaultHasher,
    shards: [Mutex<HashMap<u64, Place>>; SHARDS],
    /// The file system has no `RWF_NOWAIT`.
    is_nowait_unsupported: AtomicBool,
    reads: AtomicU64,
    last_scan: Mutex<LastScan>,
}

/// When the indexes were last scanned.
#[derive(Default)]
enum LastScan {
    #[default]
    Never,
    Before(Stopwatch),
    /// A scan is under way.
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    block: u32,
    offset: u32,
    length: u32,
    /// Foyer's number of the entry, which is never used twice.
    sequence: u64,
    sure: bool,
}

impl Places {
    pub(super) fn new(folder: &Folder) -> Places {
        let blocks = match folder.may_open_twice() {
            true => (0..folder.block_count).map(|block| File::open(folder.block(block))).collect(),
            false => Ok(Vec::new()),
        };
        Places { blocks: blocks.unwrap_or_default(), block_bytes: folder.block_bytes, ..Places::default() }
    }

    /// The record under `key`, if its place is sure and the page cache has all of it.
    pub(super) fn read(&self, key: &CacheKey) -> Option<(Place, Arc<Record>)> {
        let hash = self.hasher.hash_one(key);
        let place = self.shard(hash).get(&hash).copied().filter(|place| place.sure)?;
        match self.read_at(place, hash, key) {
            Read::Record(record) => {
                self.reads.fetch_add(1, Ordering::Relaxed);
                Some((place, record))
            }
            Read::NotCached => None,
            Read::NotThere => {
                self.forget(key);
                None
            }
        }
    }

    /// Whether `key` is still at `place`. The caller holds the lock of the key.
    pub(super) fn is_sure(&self, key: &CacheKey, place: Place) -> bool {
        let hash = self.hasher.hash_one(key);
        self.shard(hash).get(&hash) == Some(&place)
    }

    /// Makes the place of `key` sure if `record`, which foyer has loaded, is there. The caller
    /// holds the lock of the key. Returns false if no place is known.
    pub(super) fn confirm(&self, key: &CacheKey, record: &Record) -> bool {
        let hash = self.hasher.hash_one(key);
        let Some(hint) = self.shard(hash).get(&hash).copied() else { return false };
        // Another request that waited for the same load has confirmed it.
        if hint.sure {
            return true;
        }
        match self.read_at(hint, hash, key) {
            Read::Record(found) if *found == *record => {
                if let Some(place) = self.shard(hash).get_mut(&hash).filter(|place| **place == hint) {
                    place.sure = true;
                }
                true
            }
            Read::Record(_) | Read::NotThere => {
                self.forget(key);
                false
            }
            // The page cache may have it the next time.
            Read::NotCached => true,
        }
    }

    /// Forgets the place of a key that changes. The caller holds the lock of the key.
    pub(super) fn forget(&self, key: &CacheKey) {
        let hash = self.hasher.hash_one(key);
        self.shard(hash).remove(&hash);
    }

    /// Forgets the places in `block`, which is about to be overwritten.
    pub(super) fn forget_block(&self, block: u32) {
        for shard in &self.shards {
            shard.lock().retain(|_, place| place.block != block);
        }
    }

    /// Whether a scan is due. Then the caller has to run [`scan`](Self::scan).
    pub(super) fn should_scan(&self) -> bool {
        let mut last_scan = self.last_scan.lock();
        let due = match *last_scan {
            LastScan::Never => true,
            LastScan::Before(last) => last.elapsed() >= SCAN_INTERVAL,
            LastScan::Now => false,
        };
        let should = due && !self.blocks.is_empty() && !self.is_nowait_unsupported.load(Ordering::Relaxed);
        if should {
            *last_scan = LastScan::Now;
        }
        should
    }

    /// Scans the indexes of all blocks.
    pub(super) fn scan(&self) {
        for block in 0..self.blocks.len() as u32 {
            if self.scan_block(block).is_none() {
                break;
            }
        }
        *self.last_scan.lock() = LastScan::Before(Stopwatch::start());
    }

    /// Scans the indexes of one block. `None` if there is no room for more places.
    fn scan_block(&self, block: u32) -> Option<()> {
        let file = &self.blocks[block as usize];
        let (mut page, mut at) = ([0; PAGE as usize], 0);
        while at + PAGE <= self.block_bytes && file.read_exact_at(&mut page, at).is_ok() {
            let Some(entries) = entries(&page) else { break };
            let mut end = 0;
            for (hash, sequence, offset, length) in entries {
                end = end.max((u64::from(offset) + u64::from(length)).next_multiple_of(PAGE));
                let Ok(offset) = u32::try_from(at + u64::from(offset)) else { break };
                if at + end <= self.block_bytes && length <= MAX_READ_BYTES {
                    let place = Place { block, offset, length, sequence, sure: false };
                    self.hint(hash, place)?;
                }
            }
            if end == 0 {
                break;
            }
            at += end;
        }
        Some(())
    }

    fn hint(&self, hash: u64, place: Place) -> Option<()> {
        let mut shard = self.shard(hash);
        let full = shard.len() >= MAX_PLACES_PER_SHARD;
        match shard.get_mut(&hash) {
            Some(known) if !known.sure && known.sequence < place.sequence => *known = place,
            Some(_) => {}
            None if full => return None,
            None => drop(shard.insert(hash, place)),
        }
        Some(())
    }

    /// The record at `place`, if it is the expected entry, intact, of this key, and in the page
    /// cache.
    fn read_at(&self, place: Place, hash: u64, key: &CacheKey) -> Read {
        let Some(file) = self.blocks.get(place.block as usize) else { return Read::NotThere };
        if self.is_nowait_unsupported.load(Ordering::Relaxed) {
            return Read::NotCached;
        }
        let mut bytes = vec![0; place.length as usize];
        let read =
            preadv2(file, &mut [IoSliceMut::new(&mut bytes)], place.offset.into(), ReadWriteFlags::NOWAIT);
        match read {
            Ok(read) if read == bytes.len() => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.is_nowait_unsupported.store(true, Ordering::Relaxed);
                return Read::NotCached;
            }
            Ok(_) | Err(_) => return Read::NotCached,
        }
        record(bytes, hash, place.sequence, key).map_or(Read::NotThere, Read::Record)
    }

    /// Number of records read so far.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, HashMap<u64, Place>> {
        self.shards[(hash >> 32) as usize % SHARDS].lock()
    }
}

enum Read {
    Record(Arc<Record>),
    /// The page cache does not have all of it.
    NotCached,
    /// The place holds another entry.
    NotThere,
}

/// The record in the entry `bytes`, if the entry has this number and key and is intact.
fn record(bytes: Vec<u8>, hash: u64, sequence: u64, key: &CacheKey) -> Option<Arc<Record>> {
    let (mut header, payload) = bytes.split_at_checked(ENTRY_HEADER_BYTES)?;
    let (key_length, value_length) = (header.get_u32() as usize, header.get_u32() as usize);
    let same = (header.get_u64(), header.get_u64()) == (hash, sequence);
    let (checksum, magic) = (header.get_u64(), header.get_u32());
    let whole = same
        && magic == ENTRY_MAGIC
        && value_length.checked_add(key_length) == Some(payload.len())
        && payload[value_length..] == *key.as_bytes()
        && XxHash64::oneshot(0, payload) == checksum;
    if !whole {
        return None;
    }
    match Value::of(Bytes::from(bytes).slice(ENTRY_HEADER_BYTES..ENTRY_HEADER_BYTES + value_length)) {
        Ok(Value::Record(record)) => Some(record),
        _ => None,
    }
}

/// The entries of a page of index; `None` if the page is no index.
fn entries(page: &[u8; PAGE as usize]) -> Option<impl Iterator<Item = (u64, u64, u32, u32)>> {
    let (mut checksum, checked) = page.split_at(8);
    let count = (&checked[..4]).get_u32() as usize;
    let end = count.checked_mul(INDEX.1)?.checked_add(INDEX.0)?;
    let entries = page.get(INDEX.0..end)?;
    (XxHash64::oneshot(0, checked) == checksum.get_u64()).then(|| {
        entries
            .chunks_exact(INDEX.1)
            .map(|mut entry| (entry.get_u64(), entry.get_u64(), entry.get_u32(), entry.get_u32()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(count: u32, named: &[(u64, u64, u32, u32)]) -> [u8; PAGE as usize] {
        let mut page = [0; PAGE as usize];
        page[8..12].copy_from_slice(&count.to_be_bytes());
        for (at, (hash, sequence, offset, length)) in (INDEX.0..).step_by(INDEX.1).zip(named) {
            let parts = [
                &hash.to_be_bytes()[..],
                &sequence.to_be_bytes(),
                &offset.to_be_bytes(),
                &length.to_be_bytes(),
            ];
            page[at..at + INDEX.1].copy_from_slice(&parts.concat());
        }
        let checksum = XxHash64::oneshot(0, &page[8..]);
        page[..8].copy_from_slice(&checksum.to_be_bytes());
        page
    }

    #[test]
    fn index_is_read_if_intact() {
        let named = [(1, 2, 4096, 100), (u64::MAX, 3, 8192, u32::MAX)];
        let read = |page| entries(&page).map(|entries| entries.collect::<Vec<_>>());
        assert_eq!(read(page(2, &named)), Some(named.to_vec()));
        assert_eq!(read(page(1, &named)), Some(named[..1].to_vec()));
        assert_eq!(read(page(0, &[])), Some(Vec::new()));
        for count in [171, 1 << 20, u32::MAX] {
            assert_eq!(read(page(count, &[])), None, "{count}");
        }
        let mut flipped = page(2, &named);
        flipped[40] ^= 1;
        assert_eq!(read(flipped), None);
        assert_eq!(read([0; PAGE as usize]), None, "an empty block");
    }
}
