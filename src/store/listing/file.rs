//! The listing on disk. It is written by an orderly shutdown. The next start reads and removes it,
//! so that it never describes an earlier time.
//!
//! ```text
//! 0   "tintype listing 1\n"
//! 18  SHA-256 of everything after it
//! 50  postcard: whether it is complete, then the entries
//! ```
//!
//! Any damage makes the listing empty.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Entry;
use crate::clock::Timestamp;
use crate::policy::asking::Asking;
use crate::store::key::{CacheKey, Handle};

const MAGIC: &[u8] = b"tintype listing 1\n";
const SUM: usize = 32;
/// Longest file that is read, in bytes.
const LONGEST: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Saved {
    key: Vec<u8>,
    sequence: u64,
    handles: Vec<Handle>,
    status: u16,
    bytes: u64,
    stored: Timestamp,
    fresh_until: Timestamp,
    window: Duration,
    cost: Duration,
    hits: u32,
    asking: Asking,
}

/// Writes `entries` to `path`, readable for this user alone, because keys hold query strings.
pub(in crate::store) fn save(path: &Path, entries: Vec<Entry>, complete: bool) -> io::Result<()> {
    let saved: Vec<Saved> = entries.into_iter().map(Saved::from).collect();
    let payload = postcard::to_allocvec(&(complete, saved)).map_err(io::Error::other)?;
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(&payload))?;
    file.write_all(&payload)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

/// At most `most` entries from `path`, and whether they are complete. Removes the file. `None` if
/// the file is missing or damaged.
pub(in crate::store) fn take(path: &Path, most: usize) -> Option<(Vec<Entry>, bool)> {
    let read = read(path);
    let _ = std::fs::remove_file(path);
    let bytes = read.ok()?;
    let (sum, payload) = bytes.strip_prefix(MAGIC)?.split_at_checked(SUM)?;
    if Sha256::digest(payload)[..] != *sum {
        tracing::warn!(path = %path.display(), "listing of what is stored is damaged: it begins empty");
        return None;
    }
    let (complete, saved): (bool, Vec<Saved>) = postcard::from_bytes(payload).ok()?;
    let complete = complete && saved.len() <= most;
    let surplus = saved.len().saturating_sub(most);
    Some((saved.into_iter().skip(surplus).map(Entry::from).collect(), complete))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl From<Entry> for Saved {
    fn from(entry: Entry) -> Self {
        Saved {
            key: entry.key.as_bytes().to_vec(),
            sequence: entry.sequence,
            handles: entry.handles.to_vec(),
            status: entry.status,
            bytes: entry.bytes,
            stored: entry.stored,
            fresh_until: entry.fresh_until,
            window: entry.window,
            cost: entry.cost,
            hits: entry.hits.load(Ordering::Relaxed),
            asking: Asking::clone(&entry.asking),
        }
    }
}

impl From<Saved> for Entry {
    fn from(saved: Saved) -> Self {
        Entry {
            key: CacheKey::new(saved.key),
            sequence: saved.sequence,
            handles: saved.handles.into(),
            status: saved.status,
            bytes: saved.bytes,
            stored: saved.stored,
            fresh_until: saved.fresh_until,
            window: saved.window,
            cost: saved.cost,
            hits: Arc::new(AtomicU32::new(saved.hits)),
            asking: Arc::new(saved.asking),
        }
    }
}
