//! [`LedgerFile`]: the ledger on disk, an append-only file of slots of 32 bytes, each with its own
//! checksum.
//!
//! ```text
//! 0   tag, u8: header, reserved, floor,       8   handle, u64
//!     purged, softened, all softened          16  number, u64
//! 2   moment of a soft purge, 48 bits         24  SHA-256 of slot number and bytes 0..24, cut to 8 bytes
//! ```
//!
//! A slot never crosses a disk sector, so a crash leaves it whole, absent, or all zero. Absent or
//! zero slots at the end are a torn tail, whose purge was not confirmed. Any other slot with a
//! wrong checksum is damage.
//!
//! Version 1 had no soft purges. Such a file is read and rewritten. An older tintype treats this
//! version as damaged and forgets everything stored, which is too much and never too little.
//!
//! The file is preallocated, so that a purge can be written on a full disk. When it is full, a new
//! file is written beside it and renamed into place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use sha2::{Digest, Sha256};

use super::entries::Entries;
use crate::clock::Timestamp;
use crate::store::key::Handle;
use crate::store::scope::{Kind, Scope};

const SLOT: usize = 32;
const HEADER: u8 = b'T';
/// Format version, in the header at the place of the number.
const VERSION: u64 = 2;
/// The version before, without soft purges.
const FIRST_VERSION: u64 = 1;
/// Largest moment in a slot, in milliseconds: until the year 10889.
const MAX_MOMENT: u64 = (1 << 48) - 1;

/// Slots for `max_entries` purges of each kind, and half as many again, so that rewrites are rare.
pub(super) fn capacity_for(max_entries: usize) -> u64 {
    (max_entries as u64).saturating_mul(3).saturating_add(1024)
}

/// One entry of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Numbers below this may have been used.
    Reserved(u64),
    /// Everything below this number is purged.
    Floor(u64),
    /// Records with the handle are purged below this number.
    Purged(Handle, u64),
    /// Records with the handle, or all records, are stale below this number, since this moment.
    Softened(Option<Handle>, u64, Timestamp),
}

impl Slot {
    pub(super) fn of(scope: Scope, kind: Kind, number: u64) -> Slot {
        match (scope, kind) {
            (Scope::Handle(handle), Kind::Hard) => Slot::Purged(handle, number),
            (Scope::All, Kind::Hard) => Slot::Floor(number),
            (Scope::Handle(handle), Kind::Soft(moment)) => Slot::Softened(Some(handle), number, moment),
            (Scope::All, Kind::Soft(moment)) => Slot::Softened(None, number, moment),
        }
    }
}

/// The sum of all slots of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) reserved: u64,
    pub(super) floor: u64,
    pub(super) entries: Entries,
}

impl State {
    fn apply(&mut self, slot: Slot) {
        let number = match slot {
            Slot::Reserved(number) => number,
            Slot::Floor(number) => {
                self.floor = self.floor.max(number);
                number.saturating_add(1)
            }
            Slot::Purged(handle, number) => {
                self.entries.harden(handle, number);
                number.saturating_add(1)
            }
            Slot::Softened(handle, number, moment) => {
                self.entries.soften(handle, number, moment);
                number.saturating_add(1)
            }
        };
        self.reserved = self.reserved.max(number);
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let hard = self.entries.hard().map(|(handle, number)| Slot::Purged(handle, number));
        let soft = self.entries.soft().map(|(handle, number, moment)| Slot::Softened(handle, number, moment));
        [Slot::Reserved(self.reserved), Slot::Floor(self.floor)].into_iter().chain(hard).chain(soft)
    }
}

/// The result of opening the file.
#[derive(Debug)]
pub(super) enum Found {
    Missing,
    Whole(State, LedgerFile),
    /// An intact file of the version before.
    Older(State),
    Damaged {
        /// The highest number in any slot with a right checksum.
        highest: u64,
        /// The first damaged slot.
        slot: u64,
    },
}

#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    slots: u64,
    /// A write failed, so the content of the file is unknown.
    failed: bool,
}

impl LedgerFile {
    pub(super) fn open(path: &Path) -> io::Result<Found> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(match parse(&bytes) {
            Ok((state, _, true)) => Found::Older(state),
            Ok((state, slots, false)) => {
                file.set_len(slots * SLOT as u64)?;
                Found::Whole(state, LedgerFile { path: path.to_owned(), file, slots, failed: false })
            }
            Err((highest, slot)) => Found::Damaged { highest, slot },
        })
    }

    /// Creates a file with `state` and room for `capacity` slots, in place of the file at `path`.
    pub(super) fn create(path: &Path, state: &State, capacity: u64) -> io::Result<LedgerFile> {
        let fresh = path.with_extension("new");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh)?;
        let mut bytes = encode(0, None).to_vec();
        for (slot, index) in state.slots().zip(1..) {
            bytes.extend_from_slice(&encode(index, Some(slot)));
        }
        // Without support for preallocation, a full disk makes the write of a purge fail.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, capacity * SLOT as u64);
        file.write_all_at(&bytes, 0)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        let slots = (bytes.len() / SLOT) as u64;
        Ok(LedgerFile { path: path.to_owned(), file, slots, failed: false })
    }

    /// Makes `added` durable. `state` includes them already, in case the file is rewritten.
    pub(super) fn write(
        &mut self,
        added: &[Slot],
        state: impl FnOnce() -> State,
        capacity: u64,
    ) -> io::Result<()> {
        let count = added.len() as u64;
        if self.failed || self.slots + count > capacity || self.file.metadata()?.nlink() == 0 {
            match Self::create(&self.path, &state(), capacity) {
                Ok(fresh) => {
                    *self = fresh;
                    return Ok(());
                }
                // An intact old file may still have room for one more slot.
                Err(error) if self.failed || self.file.metadata()?.nlink() == 0 => return Err(error),
                Err(_) => {}
            }
        }
        let bytes: Vec<u8> =
            added.iter().zip(self.slots..).flat_map(|(&slot, index)| encode(index, Some(slot))).collect();
        let written =
            self.file.write_all_at(&bytes, self.slots * SLOT as u64).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.slots += count,
            Err(_) => self.failed = true,
        }
        written
    }
}

/// The sum of all slots of a file, their number, and whether the file is of the version before. For
/// a damaged file, the highest number and the first damaged slot.
fn parse(bytes: &[u8]) -> Result<(State, u64, bool), (u64, u64)> {
    let older = bytes.get(16..24) == Some(&FIRST_VERSION.to_le_bytes()[..]);
    let mut state = State::default();
    let mut damaged = None;
    let mut end = None;
    let whole = bytes.chunks_exact(SLOT);
    for (slot, index) in whole.zip(0_u64..) {
        match decode(index, slot) {
            Some(None) if index == 0 => {}
            Some(Some(entry)) if index > 0 && end.is_none() => state.apply(entry),
            _ if slot.iter().all(|&byte| byte == 0) && index > 0 => end = end.or(Some(index)),
            other => {
                damaged = damaged.or(Some(index));
                if let Some(Some(entry)) = other {
                    state.apply(entry);
                }
            }
        }
    }
    let whole = (bytes.len() / SLOT) as u64;
    // Every file is renamed into place with its header and two slots.
    let damaged = damaged.or((end.unwrap_or(whole) < 3).then_some(0));
    match damaged {
        Some(slot) => Err((state.reserved, slot)),
        None => Ok((state, end.unwrap_or(whole), older)),
    }
}

/// The bytes of `slot`, or of the header if there is none.
fn encode(index: u64, slot: Option<Slot>) -> [u8; SLOT] {
    let (tag, handle, number, moment) = match slot {
        None => (HEADER, 0, VERSION, 0),
        Some(Slot::Reserved(number)) => (b'R', 0, number, 0),
        Some(Slot::Floor(number)) => (b'F', 0, number, 0),
        Some(Slot::Purged(Handle(handle), number)) => (b'P', handle, number, 0),
        Some(Slot::Softened(Some(Handle(handle)), number, moment)) => (b'S', handle, number, moment.0),
        Some(Slot::Softened(None, number, moment)) => (b'A', 0, number, moment.0),
    };
    let mut bytes = [0; SLOT];
    bytes[0] = tag;
    bytes[2..8].copy_from_slice(&moment.min(MAX_MOMENT).to_le_bytes()[..6]);
    bytes[8..16].copy_from_slice(&handle.to_le_bytes());
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    let sum = checksum(index, &bytes[..24]);
    bytes[24..].copy_from_slice(&sum);
    bytes
}

/// The slot in `bytes`. `Some(None)` is the header, `None` is damage.
fn decode(index: u64, bytes: &[u8]) -> Option<Option<Slot>> {
    let (body, sum) = bytes.split_at_checked(24)?;
    if checksum(index, body) != sum {
        return None;
    }
    let handle = u64::from_le_bytes(*body[8..].first_chunk()?);
    let number = u64::from_le_bytes(*body[16..].first_chunk()?);
    let mut moment = [0; 8];
    moment[..6].copy_from_slice(&body[2..8]);
    let moment = Timestamp(u64::from_le_bytes(moment));
    match body[0] {
        HEADER if number == VERSION || number == FIRST_VERSION => Some(None),
        b'R' => Some(Some(Slot::Reserved(number))),
        b'F' => Some(Some(Slot::Floor(number))),
        b'P' => Some(Some(Slot::Purged(Handle(handle), number))),
        b'S' => Some(Some(Slot::Softened(Some(Handle(handle)), number, moment))),
        b'A' => Some(Some(Slot::Softened(None, number, moment))),
        _ => None,
    }
}

fn checksum(index: u64, body: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(index.to_le_bytes()).chain_update(body).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    first
}
