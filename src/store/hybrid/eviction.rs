//! [`OldestFirst`] picks the block that is overwritten next: the one written longest ago, also
//! across a restart.
//!
//! Foyer's own pickers forget the order at a restart, and prefer blocks that hold little. Both can
//! overwrite a younger version of a record while an older one is still on disk. After the next
//! restart the older version would be back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foyer::{EvictionInfo, EvictionPicker};

use super::places::Places;

pub(super) struct OldestFirst {
    /// Rank of the blocks that had data at the start.
    found: HashMap<u32, u64>,
    next: u64,
    order: BTreeMap<u64, u32>,
    /// The places in a block are forgotten when the block is emptied.
    places: Arc<Places>,
}

impl std::fmt::Debug for OldestFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldestFirst").field("order", &self.order).finish_non_exhaustive()
    }
}

impl OldestFirst {
    /// `found` lists the blocks with data, oldest first.
    pub(super) fn new(found: &[u32], places: Arc<Places>) -> OldestFirst {
        let next = found.len() as u64;
        OldestFirst { found: found.iter().copied().zip(0..).collect(), next, order: BTreeMap::new(), places }
    }

    fn add(&mut self, block: u32) {
        let rank = self.found.remove(&block).unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.order.insert(rank, block);
    }
}

impl EvictionPicker for OldestFirst {
    fn pick(&mut self, _: EvictionInfo<'_>) -> Option<u32> {
        self.order.first_key_value().map(|(_, &block)| block)
    }

    fn on_block_evictable(&mut self, _: EvictionInfo<'_>, block: u32) {
        self.add(block);
    }

    fn on_block_evict(&mut self, _: EvictionInfo<'_>, block: u32) {
        self.order.retain(|_, &mut other| other != block);
        self.places.forget_block(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_found_at_the_start_go_first_and_in_their_order() {
        let mut picker = OldestFirst::new(&[7, 2, 5], Arc::default());
        for block in [2, 5, 9, 7, 1] {
            picker.add(block);
        }
        assert_eq!(picker.order.into_values().collect::<Vec<_>>(), [7, 2, 5, 9, 1]);
    }
}
