use std::cell::Cell;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::*;

const SLOT: u64 = 32;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger")
    }

    /// The ledger, and whether it asked to forget everything stored.
    fn open(&self) -> (Ledger, bool) {
        let forgot = Cell::new(false);
        let ledger = Ledger::open(&self.path(), 64, || {
            forgot.set(true);
            Ok(())
        });
        (ledger.unwrap(), forgot.get())
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path()).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(), bytes).unwrap();
    }
}

#[test]
fn a_purge_hits_what_is_older_and_carries_its_handle() {
    let ledger = Ledger::in_memory(10);
    let (one, two) = (Handle(1), Handle(2));
    let before = ledger.next_sequence();
    ledger.purge(&[Scope::Handle(one)], Kind::Hard).unwrap();
    let after = ledger.next_sequence();
    for (handles, sequence, purged) in [
        (&[one][..], before, true),
        (&[two, one], before, true),
        (&[two], before, false),
        (&[], before, false),
        (&[one], after, false),
    ] {
        assert_eq!(ledger.is_purged(handles, sequence), purged, "{handles:?} {sequence}");
    }
    ledger.purge(&[Scope::All], Kind::Hard).unwrap();
    assert!(ledger.is_purged(&[], after) && ledger.is_purged(&[two], after));
    assert!(!ledger.is_purged(&[one], ledger.next_sequence()));
    assert!(ledger.is_empty(), "a purge of all covers those by handle");
}

#[test]
fn nothing_is_purged_at_first() {
    let ledger = Ledger::in_memory(10);
    assert!(!ledger.is_purged(&[Handle(1)], 0));
    assert!(ledger.next_sequence() > 0);
}

#[test]
fn purges_and_numbers_outlive_the_process() {
    let folder = Folder::new();
    let (ledger, forgot) = folder.open();
    assert!(forgot, "no ledger: whatever is stored cannot be trusted");
    let old = ledger.next_sequence();
    ledger.purge(&[Scope::Handle(Handle(1))], Kind::Hard).unwrap();
    let last = ledger.next_sequence();
    drop(ledger); // without any farewell, as in a crash

    let (ledger, forgot) = folder.open();
    assert!(!forgot);
    assert!(ledger.next_sequence() > last);
    assert!(ledger.is_purged(&[Handle(1)], old));
    assert!(!ledger.is_purged(&[Handle(2)], old) && !ledger.is_purged(&[Handle(1)], last));
    ledger.purge(&[Scope::All], Kind::Hard).unwrap();
    drop(ledger);

    let (ledger, _) = folder.open();
    assert!(ledger.is_purged(&[], last));
    assert!(!ledger.is_purged(&[Handle(1)], ledger.next_sequence()));
}

#[test]
fn numbers_rise_over_blocks_and_restarts() {
    let folder = Folder::new();
    let mut last = 0;
    for _ in 0..3 {
        let (ledger, _) = folder.open();
        for _ in 0..BLOCK + 10 {
            let sequence = ledger.next_sequence();
            assert!(sequence > last && ledger.is_durable(sequence));
            last = sequence;
        }
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_everything_else_kept() {
    for tail in [&[0xee; 7][..], &[0; 20], &[0; 64], &[0; 40]] {
        let folder = Folder::new();
        let (ledger, _) = folder.open();
        let old = ledger.next_sequence();
        ledger.purge(&[Scope::Handle(Handle(1))], Kind::Hard).unwrap();
        drop(ledger);
        folder.change(|bytes| bytes.extend_from_slice(tail));
        let (ledger, forgot) = folder.open();
        assert!(!forgot, "{tail:?}");
        assert!(ledger.is_purged(&[Handle(1)], old));
        ledger.purge(&[Scope::Handle(Handle(2))], Kind::Hard).unwrap();
        drop(ledger);
        let (ledger, forgot) = folder.open();
        assert!(!forgot && ledger.is_purged(&[Handle(2)], old), "{tail:?}");
    }
}

#[test]
fn damage_means_that_everything_was_purged() {
    let folder = Folder::new();
    let (ledger, _) = folder.open();
    for handle in 0..5 {
        ledger.purge(&[Scope::Handle(Handle(handle))], Kind::Hard).unwrap();
    }
    let last = ledger.next_sequence();
    drop(ledger);
    let whole = std::fs::read(folder.path()).unwrap();
    let mut cases: Vec<Vec<u8>> = (0..whole.len())
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes
        })
        .collect();
    cases.push(Vec::new());
    cases.push(whole[..2 * SLOT as usize].to_vec());
    cases.push([&whole[..128], &[0; 32], &whole[160..]].concat());
    cases.push([&whole[..128], &whole[160..192], &whole[128..160]].concat());
    for (case, bytes) in cases.iter().enumerate() {
        std::fs::write(folder.path(), bytes).unwrap();
        let (ledger, forgot) = folder.open();
        assert!(forgot, "case {case}");
        let fresh = ledger.next_sequence();
        assert!(!ledger.is_purged(&[Handle(1)], fresh));
        if bytes.len() == whole.len() {
            assert!(fresh > last && ledger.is_purged(&[], last), "case {case}");
        }
    }
}

#[test]
fn the_ledger_is_bounded_and_folding_purges_too_much_but_never_too_little() {
    let folder = Folder::new();
    let mut purged = Vec::new();
    for _ in 0..4 {
        let (ledger, forgot) = folder.open();
        assert_eq!(forgot, purged.is_empty());
        for _ in 0..900 {
            let sequence = ledger.next_sequence();
            let handle = Handle(sequence);
            ledger.purge(&[Scope::Handle(handle)], Kind::Hard).unwrap();
            purged.push((handle, sequence));
            assert!(ledger.len() <= 64);
        }
        assert!(purged.iter().all(|&(handle, sequence)| ledger.is_purged(&[handle], sequence)));
        assert!(!ledger.is_purged(&[Handle(0)], ledger.next_sequence()));
    }
    let length = std::fs::metadata(folder.path()).unwrap().len();
    assert!(length <= SLOT * (3 * 64 + 1024), "{length} bytes");
    let (ledger, _) = folder.open();
    assert!(purged.iter().all(|&(handle, sequence)| ledger.is_purged(&[handle], sequence)));
}

#[test]
fn a_file_removed_underneath_is_written_anew() {
    let folder = Folder::new();
    let (ledger, _) = folder.open();
    let old = ledger.next_sequence();
    ledger.purge(&[Scope::Handle(Handle(1))], Kind::Hard).unwrap();
    std::fs::remove_file(folder.path()).unwrap();
    ledger.purge(&[Scope::Handle(Handle(2))], Kind::Hard).unwrap();
    drop(ledger);
    let (ledger, forgot) = folder.open();
    assert!(!forgot);
    assert!(ledger.is_purged(&[Handle(1)], old) && ledger.is_purged(&[Handle(2)], old));
}

#[test]
fn a_purge_that_cannot_be_written_says_so_and_holds_in_this_process() {
    let folder = Folder::new();
    let inner = folder.0.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let ledger = Ledger::open(&inner.join("ledger"), 64, || Ok(())).unwrap();
    let old = ledger.next_sequence();
    std::fs::remove_dir_all(&inner).unwrap();
    assert!(ledger.purge(&[Scope::Handle(Handle(1))], Kind::Hard).is_err());
    assert!(ledger.is_purged(&[Handle(1)], old));
    std::fs::create_dir(&inner).unwrap();
    ledger.purge(&[Scope::Handle(Handle(2))], Kind::Hard).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&inner.join("ledger"), 64, || panic!("it was written anew")).unwrap();
    assert!(ledger.is_purged(&[Handle(1)], old) && ledger.is_purged(&[Handle(2)], old));
}

const MOMENT: Timestamp = Timestamp::from_secs(1_761_955_200);

fn soft(ledger: &Ledger, scope: Scope, moment: Timestamp) {
    ledger.purge(&[scope], Kind::Soft(moment)).unwrap();
}

#[test]
fn a_soft_purge_tells_since_when_and_purges_nothing() {
    let ledger = Ledger::in_memory(10);
    let (one, two) = (Handle(1), Handle(2));
    let before = ledger.next_sequence();
    soft(&ledger, Scope::Handle(one), MOMENT);
    let between = ledger.next_sequence();
    soft(&ledger, Scope::Handle(one), Timestamp(MOMENT.0 + 5));
    let after = ledger.next_sequence();
    for (handles, sequence, since) in [
        (&[one][..], before, Some(MOMENT)),
        (&[two, one], before, Some(MOMENT)),
        (&[one], between, Some(Timestamp(MOMENT.0 + 5))),
        (&[two], before, None),
        (&[one], after, None),
    ] {
        assert_eq!(ledger.stale_since(handles, sequence), since, "{handles:?} {sequence}");
        assert!(!ledger.is_purged(handles, sequence));
    }
    soft(&ledger, Scope::All, Timestamp(MOMENT.0 + 9));
    assert_eq!(ledger.stale_since(&[], after), Some(Timestamp(MOMENT.0 + 9)));
    assert_eq!(ledger.stale_since(&[one], before), Some(MOMENT));
    ledger.purge(&[Scope::All], Kind::Hard).unwrap();
    assert!(ledger.is_empty(), "a purge of all covers the soft ones");
}

#[test]
fn soft_purges_outlive_the_process() {
    let folder = Folder::new();
    let (ledger, _) = folder.open();
    let old = ledger.next_sequence();
    ledger.purge(&[Scope::Handle(Handle(1)), Scope::Handle(Handle(2))], Kind::Soft(MOMENT)).unwrap();
    let last = ledger.next_sequence();
    drop(ledger);
    let (ledger, forgot) = folder.open();
    assert!(!forgot);
    for handle in [Handle(1), Handle(2)] {
        assert_eq!(ledger.stale_since(&[handle], old), Some(MOMENT));
        assert_eq!(ledger.stale_since(&[handle], last), None);
    }
    soft(&ledger, Scope::All, MOMENT);
    drop(ledger);
    assert_eq!(folder.open().0.stale_since(&[], last), Some(MOMENT));
}

/// Many soft purges of one handle, and of many handles. Beyond the bound, records are stale for
/// longer, never for less.
#[test]
fn soft_purges_are_bounded_too() {
    let ledger = Ledger::in_memory(64);
    let mut known = Vec::new();
    for n in 0..900 {
        let (sequence, moment) = (ledger.next_sequence(), Timestamp(MOMENT.0 + n));
        let handle = Handle(n % 300);
        soft(&ledger, Scope::Handle(handle), moment);
        known.push((handle, sequence, moment));
        assert!(ledger.len() <= 64 + 1, "{}", ledger.len());
    }
    for (handle, sequence, moment) in known {
        assert!(ledger.stale_since(&[handle], sequence).is_some_and(|since| since <= moment));
    }
    assert_eq!(ledger.stale_since(&[Handle(1)], ledger.next_sequence()), None);
    // One handle does not take the room of the others.
    let ledger = Ledger::in_memory(64);
    for n in 0..50 {
        soft(&ledger, Scope::Handle(Handle(1)), Timestamp(MOMENT.0 + n));
        assert!(ledger.len() <= 4, "{}", ledger.len());
    }
}

#[test]
fn a_file_of_the_version_before_is_read_and_written_anew() {
    let folder = Folder::new();
    let (ledger, _) = folder.open();
    let old = ledger.next_sequence();
    ledger.purge(&[Scope::Handle(Handle(1))], Kind::Hard).unwrap();
    drop(ledger);
    folder.change(|bytes| {
        bytes[16] = 1;
        let sum = Sha256::new().chain_update(0_u64.to_le_bytes()).chain_update(&bytes[..24]).finalize();
        bytes[24..32].copy_from_slice(&sum[..8]);
    });
    let (ledger, forgot) = folder.open();
    assert!(!forgot && ledger.is_purged(&[Handle(1)], old));
    soft(&ledger, Scope::Handle(Handle(2)), MOMENT);
    drop(ledger);
    assert_eq!(std::fs::read(folder.path()).unwrap()[16], 2);
    let (ledger, forgot) = folder.open();
    assert!(!forgot && ledger.is_purged(&[Handle(1)], old));
    assert_eq!(ledger.stale_since(&[Handle(2)], old), Some(MOMENT));
}

/// The cost of a purge and of a check does not grow with the number of records or purges: nothing
/// is scanned.
#[test]
fn what_was_clear_of_all_purges_is_so_until_the_next() {
    let ledger = Ledger::in_memory(10);
    let generation = ledger.generation();
    ledger.next_sequence();
    assert_eq!(ledger.generation(), generation);
    ledger.purge(&[Scope::Handle(Handle(1))], Kind::Hard).unwrap();
    soft(&ledger, Scope::All, MOMENT);
    assert_eq!(ledger.generation(), generation + 2);
}
