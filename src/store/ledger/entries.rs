//! [`Entries`]: the purges by handle. Hard ones have a number, soft ones a number and a moment.
//! Folding bounds them.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Timestamp;
use crate::store::key::Handle;

/// Soft purges kept for each handle. The oldest are joined.
const SOFT_PER_HANDLE: usize = 4;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    hard: HashMap<Handle, u64>,
    /// By handle and number, where no handle means everything. So the first soft purge after a
    /// record is found at once.
    soft: BTreeMap<(Option<Handle>, u64), Timestamp>,
}

impl Entries {
    pub(super) fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool {
        !self.hard.is_empty()
            && handles.iter().any(|handle| self.hard.get(handle).is_some_and(|&purged| sequence < purged))
    }

    /// For each handle, the first soft purge after `sequence`; of these, the earliest moment.
    pub(super) fn stale_since(&self, handles: &[Handle], sequence: u64) -> Option<Timestamp> {
        let first = |handle: Option<Handle>| {
            let after = (handle, sequence.saturating_add(1))..=(handle, u64::MAX);
            self.soft.range(after).next().map(|(_, &moment)| moment)
        };
        handles.iter().map(|&handle| Some(handle)).chain([None]).filter_map(first).min()
    }

    pub(super) fn harden(&mut self, handle: Handle, number: u64) {
        let purged = self.hard.entry(handle).or_insert(number);
        *purged = number.max(*purged);
    }

    pub(super) fn soften(&mut self, handle: Option<Handle>, number: u64, moment: Timestamp) {
        self.soft.insert((handle, number), moment);
        while self.soft.range((handle, 0)..=(handle, u64::MAX)).count() > SOFT_PER_HANDLE {
            let mut oldest = self.soft.range_mut((handle, 0)..=(handle, u64::MAX));
            let (Some((&first, &mut moment)), Some((_, second))) = (oldest.next(), oldest.next()) else {
                return;
            };
            *second = moment.min(*second);
            self.soft.remove(&first);
        }
    }

    /// Removes the purges that a purge of everything below `number` covers.
    pub(super) fn clear_below(&mut self, number: u64) {
        self.hard.retain(|_, &mut purged| purged > number);
        self.soft.retain(|&(_, purged), _| purged > number);
    }

    /// Folds the older half of the hard purges if there are more than `most`. Everything below the
    /// returned number is purged.
    pub(super) fn fold(&mut self, most: usize) -> Option<u64> {
        if self.hard.len() <= most {
            return None;
        }
        let floor = older_half(self.hard.values().copied().collect(), most);
        self.hard.retain(|_, &mut purged| purged > floor);
        Some(floor)
    }

    /// Folds the older half of the soft purges if there are more than `most` into one of
    /// everything.
    pub(super) fn fold_soft(&mut self, most: usize) -> bool {
        if self.soft.len() <= most {
            return false;
        }
        let floor = older_half(self.soft.keys().map(|&(_, number)| number).collect(), most);
        let folded = self.soft.iter().filter(|((_, number), _)| *number <= floor);
        let moment = folded.map(|(_, &moment)| moment).min().unwrap_or_default();
        self.soft.retain(|&(_, number), _| number > floor);
        self.soften(None, floor, moment);
        true
    }

    pub(super) fn newest_hard(&self) -> u64 {
        self.hard.values().copied().max().unwrap_or(0)
    }

    pub(super) fn newest_soft(&self) -> u64 {
        self.soft.keys().map(|&(_, number)| number).max().unwrap_or(0)
    }

    pub(super) fn len(&self) -> usize {
        self.hard.len() + self.soft.len()
    }

    pub(super) fn hard(&self) -> impl Iterator<Item = (Handle, u64)> {
        self.hard.iter().map(|(&handle, &number)| (handle, number))
    }

    pub(super) fn soft(&self) -> impl Iterator<Item = (Option<Handle>, u64, Timestamp)> {
        self.soft.iter().map(|(&(handle, number), &moment)| (handle, number, moment))
    }
}

/// The youngest of the numbers that have to go so that half of `most` is left.
fn older_half(mut numbers: Vec<u64>, most: usize) -> u64 {
    let youngest_folded = numbers.len() - most / 2 - 1;
    let (_, &mut floor, _) = numbers.select_nth_unstable(youngest_folded);
    floor
}
