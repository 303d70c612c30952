//! What a process notes of a record as long as it has it in memory.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Notes that are no part of what is stored: two records are equal whatever was noted.
#[derive(Debug, Default)]
pub struct Seen {
    /// Shared with the listing.
    hits: OnceLock<Arc<AtomicU32>>,
    /// The ledger's generation at which it was clear of all purges.
    clear_at: AtomicU64,
}

impl Seen {
    /// Counts one use: a relaxed addition, where the listing has the record.
    pub fn hit(&self) {
        if let Some(hits) = self.hits.get() {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts uses in `hits` from now on; the first one counts.
    pub(in crate::store) fn count_in(&self, hits: &Arc<AtomicU32>) {
        let _ = self.hits.set(Arc::clone(hits));
    }

    /// Whether it was clear of all purges at `generation`.
    pub(in crate::store) fn is_clear_at(&self, generation: u64) -> bool {
        self.clear_at.load(Ordering::Relaxed) >= generation
    }

    /// It was clear of all purges at `generation`.
    pub(in crate::store) fn set_clear_at(&self, generation: u64) {
        self.clear_at.fetch_max(generation, Ordering::Relaxed);
    }
}

impl Clone for Seen {
    /// A copy is another record, of which nothing was noted yet.
    fn clone(&self) -> Self {
        Seen::default()
    }
}

impl PartialEq for Seen {
    fn eq(&self, _: &Seen) -> bool {
        true
    }
}
