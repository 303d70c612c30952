//! Damage to the folder: what comes back is whole or absent, and nothing purged comes back.
//!
//! Each of these went wrong somewhere in the store's parts when they were tried alone.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tintype::store::{Config, Handle, Scope, Store};

use crate::store_fixture::{config, disk_only, get, key, open, put, record, reopen, sequence};

const RECORDS: u64 = 300;

/// Fills a folder and closes it.
async fn filled(config: &Config) {
    let store = open(config).await;
    for n in 0..RECORDS {
        put(&*store, n, 5000);
    }
    store.close().await;
}

/// Records that are served; each is checked.
async fn served(store: &Arc<dyn Store>) -> u64 {
    let mut served = 0;
    for n in 0..RECORDS {
        served += u64::from(get(&**store, n).await.is_some());
    }
    served
}

fn blocks(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir.join("blocks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The store still takes records and serves them after one more restart.
async fn works(store: Arc<dyn Store>, config: &Config) {
    let stored: Vec<u64> = (0..50).map(|n| put(&*store, format!("new {n}"), 5000)).collect();
    let store = reopen(store, config).await;
    for (n, stored) in stored.into_iter().enumerate() {
        assert_eq!(sequence(&*store, format!("new {n}")).await, Some(stored), "{n}");
    }
    assert!(store.usage().disk_healthy);
}

#[tokio::test]
async fn flipped_bytes_are_misses() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_only(dir.path());
    filled(&config).await;
    for path in blocks(dir.path()) {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        // Inside the entries: their first page tells what is in the block and has a test of its own.
        for at in (10_000..1 << 20).step_by(100_000) {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
        }
    }
    let store = open(&config).await;
    let served = served(&store).await;
    assert!((250..RECORDS).contains(&served), "{served} of {RECORDS}");
    assert!(store.usage().disk_errors > 0);
    works(store, &config).await;
}

#[tokio::test]
async fn a_block_that_is_lost_takes_no_other_with_it() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("deleted", |path| std::fs::remove_file(path).unwrap()),
        ("emptied", |path| std::fs::write(path, "").unwrap()),
        ("cut off", |path| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(300_000).unwrap();
        }),
        ("first page zero", |path| {
            OpenOptions::new().write(true).open(path).unwrap().write_all_at(&[0; 4096], 0).unwrap();
        }),
        ("first page random", |path| {
            let page: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            OpenOptions::new().write(true).open(path).unwrap().write_all_at(&page, 0).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let config = disk_only(dir.path());
        filled(&config).await;
        damage(&blocks(dir.path())[0]);
        let store = open(&config).await;
        let served = served(&store).await;
        // A block holds 127 of these.
        assert!((RECORDS - 130..RECORDS).contains(&served), "{name}: {served} of {RECORDS}");
        works(store, &config).await;
    }
}

#[tokio::test]
async fn other_sizes_start_afresh_without_errors() {
    let dir = tempfile::tempdir().unwrap();
    let first = disk_only(dir.path());
    filled(&first).await;
    for (block_bytes, disk_bytes) in
        [(1 << 20, 4 << 20), (256 << 10, 4 << 20), (2 << 20, 16 << 20), (1 << 20, 8 << 20)]
    {
        let config = Config { block_bytes, disk_bytes, ..first.clone() };
        let store = open(&config).await;
        assert_eq!(served(&store).await, 0);
        assert_eq!(blocks(dir.path()).len() as u64, disk_bytes / block_bytes);
        for n in 0..RECORDS {
            put(&*store, n, 5000);
        }
        let store = reopen(store, &config).await;
        assert!(served(&store).await > 0);
        let usage = store.usage();
        assert_eq!((usage.disk_errors, usage.disk_capacity), (0, disk_bytes));
        store.close().await;
    }
}

#[tokio::test]
async fn without_an_empty_block_the_oldest_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_only(dir.path());
    filled(&config).await;
    // As after a crash between taking the last empty block and emptying another.
    let blocks = blocks(dir.path());
    for empty in &blocks[3..] {
        std::fs::copy(&blocks[1], empty).unwrap();
    }
    let store = open(&config).await;
    assert!(store.usage().disk_healthy);
    assert!(served(&store).await > 0);
    works(store, &config).await;
}

#[tokio::test]
async fn a_ledger_that_is_lost_or_damaged_takes_everything_stored_with_it() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("deleted", |path| std::fs::remove_file(path).unwrap()),
        ("emptied", |path| std::fs::write(path, "").unwrap()),
        ("flipped", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            bytes[100] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let config = disk_only(dir.path());
        filled(&config).await;
        let store = open(&config).await;
        store.put(key("purged"), record(store.next_sequence(), &[Handle(7)], 5000));
        store.purge(Scope::Handle(Handle(7))).unwrap();
        store.close().await;
        drop(store);
        damage(&dir.path().join("ledger"));
        let store = open(&config).await;
        assert_eq!(served(&store).await, 0, "{name}");
        assert!(get(&*store, "purged").await.is_none(), "{name}");
        works(store, &config).await;
    }
}

#[tokio::test]
async fn a_ledger_cut_short_loses_only_what_was_not_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_only(dir.path());
    filled(&config).await;
    let path = dir.path().join("ledger");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"half a slot");
    std::fs::write(&path, bytes).unwrap();
    let store = open(&config).await;
    assert_eq!(served(&store).await, RECORDS);
}

#[tokio::test]
async fn files_removed_underneath_cost_what_was_on_disk_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    filled(&config).await;
    let store = open(&config).await;
    let before = put(&*store, "before", 5000);
    std::fs::remove_dir_all(dir.path().join("blocks")).unwrap();
    std::fs::remove_file(dir.path().join("geometry")).unwrap();
    std::fs::remove_file(dir.path().join("ledger")).unwrap();
    let after = put(&*store, "after", 5000);
    assert_eq!(sequence(&*store, "before").await, Some(before));
    assert_eq!(sequence(&*store, "after").await, Some(after));
    store.purge(Scope::All).unwrap();
    let store = reopen(store, &config).await;
    assert_eq!(served(&store).await, 0);
    works(store, &config).await;
}

/// What is read meanwhile is whole or absent: the fixture looks at every byte.
#[tokio::test]
async fn files_overwritten_and_cut_underneath_are_misses_and_no_more() {
    type Damage = fn(&OpenOptions, &Path);
    let damages: [(&str, Damage); 4] = [
        ("zeros", |open, path| open.open(path).unwrap().write_all_at(&vec![0; 1 << 20], 0).unwrap()),
        ("garbage", |open, path| open.open(path).unwrap().write_all_at(&vec![0xa5; 1 << 20], 0).unwrap()),
        ("cut in half", |open, path| open.open(path).unwrap().set_len(1 << 19).unwrap()),
        ("cut to nothing", |open, path| open.open(path).unwrap().set_len(0).unwrap()),
    ];
    for (what, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let config = disk_only(dir.path());
        filled(&config).await;
        let store = open(&config).await;
        assert_eq!(served(&store).await, RECORDS, "{what}");
        for path in blocks(dir.path()) {
            damage(OpenOptions::new().write(true), &path);
        }
        let left = served(&store).await;
        assert!(left < RECORDS, "{what}: {left}");
        for n in 0..20 {
            put(&*store, format!("later {n}"), 5000);
        }
        store.purge(Scope::All).unwrap();
        let store = reopen(store, &config).await;
        assert_eq!(served(&store).await, 0, "{what}");
        works(store, &config).await;
    }
}
