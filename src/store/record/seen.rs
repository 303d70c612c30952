//! [`Seen`]: what a process notes of a record while the record is in memory.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Notes that are not stored. Two records are equal whatever their notes.
#[derive(Debug, Default)]
pub struct Seen {
    /// The hit counter, shared with the listing.
    hits: OnceLock<Arc<AtomicU32>>,
    /// Generation of the ledger at which no purge covered the record.
    clear_at: AtomicU64,
}

impl Seen {
    /// Counts one hit with a relaxed addition, if the listing has the record.
    pub fn hit(&self) {
        if let Some(hits) = self.hits.get() {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts hits in `hits` from now on. Only the first call has an effect.
    pub(in crate::store) fn count_in(&self, hits: &Arc<AtomicU32>) {
        let _ = self.hits.set(Arc::clone(hits));
    }

    /// Whether no purge covered the record at `generation`.
    pub(in crate::store) fn is_clear_at(&self, generation: u64) -> bool {
        self.clear_at.load(Ordering::Relaxed) >= generation
    }

    /// Notes that no purge covered the record at `generation`.
    pub(in crate::store) fn set_clear_at(&self, generation: u64) {
        self.clear_at.fetch_max(generation, Ordering::Relaxed);
    }
}

impl Clone for Seen {
    /// A copy is another record, which has no notes yet.
    fn clone(&self) -> Self {
        Seen::default()
    }
}

impl PartialEq for Seen {
    fn eq(&self, _: &Seen) -> bool {
        true
    }
}
