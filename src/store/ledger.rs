//! The purge ledger: what was purged, by sequence number, and the numbers themselves.
//!
//! Every record carries the sequence number of the fetch that led to it. A purge takes a number too, and
//! makes every record of its scope with a smaller one unusable, wherever it lies: in memory, on disk, or still on its
//! way from the origin. So a purge costs one entry, survives a restart, and needs no list of what is stored.
//!
//! Numbers are given out from blocks. The end of a block is on disk before its first number is used, so after a
//! crash the next process starts above all that were used; no clock has a say in it.
//!
//! A purge is hard, or soft: then what it hits counts as stale from its moment on. That is an entry of its own kind, with the
//! moment in it; what became of freshness by it, others decide.
//!
//! At most a configured number of purges by handle are kept, of each kind. Beyond that the older half is folded into one purge
//! of everything older than the youngest of them: that purges too much, never too little.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::key::Handle;
use super::scope::{Kind, Scope};
use crate::clock::Timestamp;

mod entries;
mod file;

use entries::Entries;
use file::{Found, LedgerFile, Slot, State};

/// Numbers that are set aside at a time; so many at most are left unused by a crash.
const BLOCK: u64 = 1 << 20;
/// Numbers between two attempts to set the next block aside when the disk refuses.
const RETRY: u64 = 4096;

/// See the [module](self).
#[derive(Debug)]
pub struct Ledger {
    next: AtomicU64,
    /// Numbers below this are safe to use: the next process starts here.
    reserved: AtomicU64,
    /// The number at which to set aside more.
    reserve_at: AtomicU64,
    /// The largest sequence of any purge: a record above it is not purged.
    newest: AtomicU64,
    /// The same of soft purges.
    newest_soft: AtomicU64,
    /// Everything below this is purged.
    floor: AtomicU64,
    /// Raised by each purge once it holds: what was clear of all purges at one value is so as long as that stands.
    generation: AtomicU64,
    purges: RwLock<Entries>,
    max_entries: usize,
    file: Mutex<Option<LedgerFile>>,
    reserve_failed: AtomicBool,
    /// The file may be another process's.
    closed: AtomicBool,
}

impl Ledger {
    /// A ledger that lasts as long as the process, of at most `max_entries` purges by handle.
    pub fn in_memory(max_entries: usize) -> Ledger {
        Self::from_state(State { reserved: 1, ..State::default() }, u64::MAX, max_entries, None)
    }

    /// The ledger in the file `path`.
    ///
    /// Without the file, or if it is damaged, nobody can tell what was purged: then `forget` is called before a
    /// new ledger begins, and has to make everything stored so far unusable. (A last entry that was cut short is
    /// no damage; its purge had not been confirmed.)
    pub fn open(
        path: &Path,
        max_entries: usize,
        forget: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Ledger> {
        let max_entries = max_entries.max(1);
        let slots = file::capacity_for(max_entries);
        let (mut state, opened) = match LedgerFile::open(path)? {
            Found::Whole(state, opened) => (state, Some(opened)),
            // Written anew, so that it is of one version throughout.
            Found::Older(state) => (state, None),
            Found::Missing => {
                forget()?;
                (State { reserved: 1, ..State::default() }, None)
            }
            Found::Damaged { highest, slot } => {
                tracing::error!(path = %path.display(), slot, "purge ledger is damaged: everything stored counts as purged");
                forget()?;
                let start = highest.saturating_add(BLOCK);
                (State { reserved: start, floor: start, ..State::default() }, None)
            }
        };
        let start = state.reserved;
        state.reserved = start.saturating_add(BLOCK);
        let file = match opened {
            Some(mut file) => {
                file.write(&[Slot::Reserved(state.reserved)], || state.clone(), slots)?;
                file
            }
            None => LedgerFile::create(path, &state, slots)?,
        };
        let reserved = state.reserved;
        state.reserved = start;
        let ledger = Self::from_state(state, reserved, max_entries, Some(file));
        ledger.fold(&mut ledger.purges.write());
        Ok(ledger)
    }

    fn from_state(state: State, reserved: u64, max_entries: usize, file: Option<LedgerFile>) -> Ledger {
        let newest = state.entries.newest_hard().max(state.floor);
        Ledger {
            next: AtomicU64::new(state.reserved),
            reserved: AtomicU64::new(reserved),
            reserve_at: AtomicU64::new(reserved.saturating_sub(BLOCK / 2)),
            newest: AtomicU64::new(newest),
            newest_soft: AtomicU64::new(state.entries.newest_soft()),
            floor: AtomicU64::new(state.floor),
            generation: AtomicU64::new(1),
            purges: RwLock::new(state.entries),
            max_entries: max_entries.max(1),
            file: Mutex::new(file),
            reserve_failed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Writes nothing any more: from now on every purge is an error, and no new number is durable.
    pub fn close(&self) {
        let mut file = self.file.lock();
        self.closed.store(true, Ordering::Release);
        *file = None;
        self.reserved.store(0, Ordering::Release);
    }

    /// A number larger than every one before, also of earlier processes.
    pub fn next_sequence(&self) -> u64 {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        if sequence >= self.reserve_at.load(Ordering::Relaxed) {
            self.reserve(sequence);
        }
        sequence
    }

    /// Whether the next process will start above `sequence`. A record whose number is not durable must not
    /// reach the disk: a later purge could get a smaller one.
    pub fn is_durable(&self, sequence: u64) -> bool {
        sequence < self.reserved.load(Ordering::Acquire)
    }

    /// Whether a record with these handles and this sequence was purged. One load if no purge is younger.
    pub fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool {
        if sequence >= self.newest.load(Ordering::Acquire) {
            return false;
        }
        if sequence < self.floor.load(Ordering::Acquire) {
            return true;
        }
        self.purges.read().is_purged(handles, sequence)
    }

    /// Since when a record with these handles and this sequence counts as stale, by the first soft purge after it. One
    /// load if no soft purge is younger.
    pub fn stale_since(&self, handles: &[Handle], sequence: u64) -> Option<Timestamp> {
        if sequence >= self.newest_soft.load(Ordering::Acquire) {
            return None;
        }
        self.purges.read().stale_since(handles, sequence)
    }

    /// A number that each purge raises, once it holds.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Purges `scopes` as one, at once; when it returns `Ok`, for good. On an error the purge holds in this process, and the
    /// next purge tries to write both.
    pub fn purge(&self, scopes: &[Scope], kind: Kind) -> io::Result<()> {
        let sequence = self.next_sequence();
        {
            let mut purges = self.purges.write();
            for &scope in scopes {
                match (scope, kind) {
                    (Scope::Handle(handle), Kind::Hard) => purges.harden(handle, sequence),
                    (Scope::All, Kind::Hard) => {
                        self.floor.fetch_max(sequence, Ordering::AcqRel);
                        purges.clear_below(sequence);
                    }
                    (Scope::Handle(handle), Kind::Soft(moment)) => {
                        purges.soften(Some(handle), sequence, moment);
                    }
                    (Scope::All, Kind::Soft(moment)) => purges.soften(None, sequence, moment),
                }
            }
            self.fold(&mut purges);
            match kind {
                Kind::Hard => self.newest.fetch_max(sequence, Ordering::AcqRel),
                Kind::Soft(_) => self.newest_soft.fetch_max(sequence, Ordering::AcqRel),
            };
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        let mut file = self.file.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(io::Error::other("this process is ending, and another one may have the ledger"));
        }
        let Some(open) = file.as_mut() else { return Ok(()) };
        let slots: Vec<Slot> = scopes.iter().map(|&scope| Slot::of(scope, kind, sequence)).collect();
        open.write(&slots, || self.state(), file::capacity_for(self.max_entries))
    }

    /// Purges by handle that are kept one by one.
    pub fn len(&self) -> usize {
        self.purges.read().len()
    }

    /// Whether no purge by handle is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Folds all but the youngest half of the bound if there are too many. The file needs no entry for it: whoever reads all purges back
    /// folds again, and what it folds differently is still purged.
    fn fold(&self, purges: &mut Entries) {
        if let Some(floor) = purges.fold(self.max_entries) {
            self.floor.fetch_max(floor, Ordering::AcqRel);
            tracing::info!(
                floor,
                "purge ledger is full: everything older than its older half counts as purged"
            );
        }
        if purges.fold_soft(self.max_entries) {
            tracing::info!(
                "purge ledger is full: everything older than the older half of its soft purges counts as stale"
            );
        }
    }

    fn state(&self) -> State {
        State {
            reserved: self.reserved.load(Ordering::Acquire),
            floor: self.floor.load(Ordering::Acquire),
            entries: self.purges.read().clone(),
        }
    }

    fn reserve(&self, sequence: u64) {
        let mut file = if self.is_durable(sequence) {
            // Half a block is left: one caller does it, the others go on.
            let Some(file) = self.file.try_lock() else { return };
            file
        } else {
            self.file.lock()
        };
        if sequence < self.reserve_at.load(Ordering::Relaxed) || self.closed.load(Ordering::Acquire) {
            return;
        }
        let reserved = self.next.load(Ordering::Relaxed).saturating_add(BLOCK);
        let state = || State { reserved, ..self.state() };
        let slots = file::capacity_for(self.max_entries);
        let written =
            file.as_mut().map_or(Ok(()), |file| file.write(&[Slot::Reserved(reserved)], state, slots));
        match written {
            Ok(()) => {
                self.reserved.store(reserved, Ordering::Release);
                self.reserve_at.store(reserved.saturating_sub(BLOCK / 2), Ordering::Relaxed);
                self.reserve_failed.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                self.reserve_at.store(sequence.saturating_add(RETRY), Ordering::Relaxed);
                if !self.reserve_failed.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "purge ledger cannot be written: new records stay in memory");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
