//! [`Ledger`]: the purges by sequence number, and the source of sequence numbers.
//!
//! Every record has the sequence number of the fetch that led to it. A purge takes a number too. It
//! makes every record of its scope with a lower number unusable: in memory, on disk, or still on
//! its way from the origin. So a purge costs one entry, survives a restart, and needs no list of
//! stored records.
//!
//! Numbers are given out from blocks. The end of a block is on disk before its first number is
//! used. So after a crash, the next process starts above all used numbers, whatever the clock says.
//!
//! A purge is hard or soft. A soft purge makes its records stale from its moment on. It is an entry
//! of its own kind, with the moment in it. The effect on freshness is decided elsewhere.
//!
//! The ledger keeps a configured number of purges by handle, of each kind. Beyond that, the older
//! half is folded into one purge of everything older than the youngest of them. That purges too
//! much, never too little.

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

/// Numbers that are reserved at a time. A crash wastes at most that many.
const BLOCK: u64 = 1 << 20;
/// Numbers between two attempts to reserve a block when the disk refuses.
const RETRY: u64 = 4096;

/// The purges and the sequence numbers; see the [module](self).
#[derive(Debug)]
pub struct Ledger {
    next: AtomicU64,
    /// Numbers below this are durable: the next process starts here.
    reserved: AtomicU64,
    /// The number at which to reserve the next block.
    reserve_at: AtomicU64,
    /// The highest sequence number of any hard purge. A record above it is not purged.
    newest: AtomicU64,
    /// The highest sequence number of any soft purge.
    newest_soft: AtomicU64,
    /// Everything with a lower sequence number is purged.
    floor: AtomicU64,
    /// Raised by each purge once the purge holds. A record clear of all purges at one value stays
    /// clear until the next value.
    generation: AtomicU64,
    purges: RwLock<Entries>,
    max_entries: usize,
    file: Mutex<Option<LedgerFile>>,
    reserve_failed: AtomicBool,
    /// The file may belong to another process.
    closed: AtomicBool,
}

impl Ledger {
    /// A ledger without a file, of at most `max_entries` purges by handle.
    pub fn in_memory(max_entries: usize) -> Ledger {
        Self::from_state(State { reserved: 1, ..State::default() }, u64::MAX, max_entries, None)
    }

    /// Opens or creates the ledger in the file `path`.
    ///
    /// If the file is missing or damaged, the earlier purges are unknown. Then `forget` is called
    /// before a new ledger begins, and has to make everything stored so far unusable. An incomplete
    /// last entry is no damage, because its purge was not confirmed.
    pub fn open(
        path: &Path,
        max_entries: usize,
        forget: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Ledger> {
        let max_entries = max_entries.max(1);
        let slots = file::capacity_for(max_entries);
        let (mut state, opened) = match LedgerFile::open(path)? {
            Found::Whole(state, opened) => (state, Some(opened)),
            // The file is rewritten, so that all of it is of one version.
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

    /// Closes the file. From now on every purge is an error, and no new number is durable.
    pub fn close(&self) {
        let mut file = self.file.lock();
        self.closed.store(true, Ordering::Release);
        *file = None;
        self.reserved.store(0, Ordering::Release);
    }

    /// A number higher than every one before, also of earlier processes.
    pub fn next_sequence(&self) -> u64 {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        if sequence >= self.reserve_at.load(Ordering::Relaxed) {
            self.reserve(sequence);
        }
        sequence
    }

    /// Whether the next process will start above `sequence`. A record whose number is not durable
    /// must not reach the disk, because a later purge could get a lower number.
    pub fn is_durable(&self, sequence: u64) -> bool {
        sequence < self.reserved.load(Ordering::Acquire)
    }

    /// Whether a hard purge covers a record with these handles and this sequence number. Costs one
    /// atomic load if no purge is younger.
    pub fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool {
        if sequence >= self.newest.load(Ordering::Acquire) {
            return false;
        }
        if sequence < self.floor.load(Ordering::Acquire) {
            return true;
        }
        self.purges.read().is_purged(handles, sequence)
    }

    /// Since when a record with these handles and this sequence number is stale, by the first soft
    /// purge after it. Costs one atomic load if no soft purge is younger.
    pub fn stale_since(&self, handles: &[Handle], sequence: u64) -> Option<Timestamp> {
        if sequence >= self.newest_soft.load(Ordering::Acquire) {
            return None;
        }
        self.purges.read().stale_since(handles, sequence)
    }

    /// A number that each purge raises once the purge holds.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Purges all `scopes` with one sequence number. The purge holds at once; when this returns
    /// `Ok`, it is durable. After an error the purge holds in this process, and the next purge
    /// tries to write both.
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

    /// Number of purges by handle, hard and soft.
    pub fn len(&self) -> usize {
        self.purges.read().len()
    }

    /// Whether no purge by handle is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// If there are too many purges, folds all but the youngest half of the bound. The file needs
    /// no entry for it: reading all purges back folds them again, and purges at least as much.
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
            // Half a block is left, so one caller reserves and the others go on.
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
