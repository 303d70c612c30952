use std::cell::Cell;
use std::path::PathBuf;

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

    /// The ledger, and whether everything stored had to be forgotten.
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
    ledger.purge(Scope::Handle(one)).unwrap();
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
    ledger.purge(Scope::All).unwrap();
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
    ledger.purge(Scope::Handle(Handle(1))).unwrap();
    let last = ledger.next_sequence();
    drop(ledger); // without any farewell, as in a crash

    let (ledger, forgot) = folder.open();
    assert!(!forgot);
    assert!(ledger.next_sequence() > last);
    assert!(ledger.is_purged(&[Handle(1)], old));
    assert!(!ledger.is_purged(&[Handle(2)], old) && !ledger.is_purged(&[Handle(1)], last));
    ledger.purge(Scope::All).unwrap();
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
        ledger.purge(Scope::Handle(Handle(1))).unwrap();
        drop(ledger);
        folder.change(|bytes| bytes.extend_from_slice(tail));
        let (ledger, forgot) = folder.open();
        assert!(!forgot, "{tail:?}");
        assert!(ledger.is_purged(&[Handle(1)], old));
        ledger.purge(Scope::Handle(Handle(2))).unwrap();
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
        ledger.purge(Scope::Handle(Handle(handle))).unwrap();
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
            ledger.purge(Scope::Handle(handle)).unwrap();
            purged.push((handle, sequence));
            assert!(ledger.len() <= 64);
        }
        assert!(purged.iter().all(|&(handle, sequence)| ledger.is_purged(&[handle], sequence)));
        assert!(!ledger.is_purged(&[Handle(0)], ledger.next_sequence()));
    }
    let length = std::fs::metadata(folder.path()).unwrap().len();
    assert!(length <= SLOT * (2 * 64 + 1024), "{length} bytes");
    let (ledger, _) = folder.open();
    assert!(purged.iter().all(|&(handle, sequence)| ledger.is_purged(&[handle], sequence)));
}

#[test]
fn a_file_removed_underneath_is_written_anew() {
    let folder = Folder::new();
    let (ledger, _) = folder.open();
    let old = ledger.next_sequence();
    ledger.purge(Scope::Handle(Handle(1))).unwrap();
    std::fs::remove_file(folder.path()).unwrap();
    ledger.purge(Scope::Handle(Handle(2))).unwrap();
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
    assert!(ledger.purge(Scope::Handle(Handle(1))).is_err());
    assert!(ledger.is_purged(&[Handle(1)], old));
    std::fs::create_dir(&inner).unwrap();
    ledger.purge(Scope::Handle(Handle(2))).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&inner.join("ledger"), 64, || panic!("it was written anew")).unwrap();
    assert!(ledger.is_purged(&[Handle(1)], old) && ledger.is_purged(&[Handle(2)], old));
}
