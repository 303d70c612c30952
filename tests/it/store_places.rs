//! Reads that the page cache answers on the spot, beside foyer's.
//!
//! - They happen: if foyer changes the form of its blocks, this notices.
//! - They never give anything but the last version, whatever is written, removed, purged, evicted or spoiled meanwhile.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use tintype::store::{Scope, Store};

use crate::store_fixture::{disk_only, get, key, open, put, reopen, sequence};

/// Reads until all of them were answered on the spot, one after the other.
async fn until_at_once(store: &dyn Store, names: std::ops::Range<u64>) {
    let (all, begin) = (names.end - names.start, Instant::now());
    let mut before = store.usage().disk_at_once;
    loop {
        for n in names.clone() {
            get(store, n).await.expect("stored");
        }
        let now = store.usage().disk_at_once;
        if now - before == all {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{} of {all} answered on the spot", now - before);
        before = now;
        tokio::task::yield_now().await;
    }
}

/// Twenty records, all where they are read on the spot.
async fn put_twenty(store: &dyn Store) {
    for n in 0..20 {
        put(store, n, 30_000);
    }
    until_at_once(store, 0..20).await;
}

#[tokio::test]
async fn what_the_page_cache_holds_is_read_on_the_spot_and_changes_show_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&disk_only(dir.path())).await;
    put_twenty(&*store).await;

    for n in 0..5 {
        let newer = put(&*store, n, 20_000);
        assert_eq!(sequence(&*store, n).await, Some(newer), "{n}");
    }
    for n in 5..10 {
        store.remove(&key(n));
        assert!(get(&*store, n).await.is_none(), "{n}");
    }
    store.drop_stored(&key(10));
    assert!(get(&*store, 10).await.is_none());
    store.purge(Scope::All).unwrap();
    for n in 0..20 {
        assert!(get(&*store, n).await.is_none(), "{n}");
    }
    let usage = store.usage();
    assert_eq!((usage.disk_errors, usage.disk_dropped), (0, 0));
}

#[tokio::test]
async fn what_was_stored_before_a_restart_is_found_too() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_only(dir.path());
    let store = open(&config).await;
    let older: Vec<u64> = (0..10).map(|n| put(&*store, n, 30_000)).collect();
    let newer: Vec<u64> = (0..5).map(|n| put(&*store, n, 30_000)).collect();
    let store = reopen(store, &config).await;
    until_at_once(&*store, 0..10).await;
    for n in 0..10 {
        let last = newer.get(n).or(older.get(n)).copied();
        assert_eq!(sequence(&*store, n).await, last, "{n}");
    }
}

#[tokio::test]
async fn blocks_that_are_spoiled_or_written_anew_give_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&disk_only(dir.path())).await;
    put_twenty(&*store).await;
    for entry in std::fs::read_dir(dir.path().join("blocks")).unwrap() {
        let file = std::fs::OpenOptions::new().write(true).open(entry.unwrap().path()).unwrap();
        for at in (5000..1 << 20).step_by(60_000) {
            file.write_all_at(b"spoiled", at).unwrap();
        }
    }
    let mut lost = 0;
    for n in 0..20 {
        lost += usize::from(get(&*store, n).await.is_none());
    }
    assert!(lost > 0, "what was spoiled was served");
}

/// Writes, removals and reads at random, over blocks that are all written anew several times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_gives_the_last_version_or_nothing_under_random_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&disk_only(dir.path())).await;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut last: HashMap<u64, Option<u64>> = HashMap::new();
    let (mut found, mut step) = (0, 0);
    let begin = Instant::now();
    while step < 4000 || (store.usage().disk_at_once < 50 && begin.elapsed() < Duration::from_secs(20)) {
        step += 1;
        let name = random(40);
        match random(20) {
            0..3 => drop(last.insert(name, Some(put(&*store, name, 1000 + random(60_000) as usize)))),
            3 => {
                store.remove(&key(name));
                last.insert(name, None);
            }
            _ => {
                if let Some(sequence) = sequence(&*store, name).await {
                    assert_eq!(Some(sequence), last.get(&name).copied().flatten(), "step {step}: {name}");
                    found += 1;
                }
            }
        }
    }
    let usage = store.usage();
    assert!(found > 500, "{found} reads found anything");
    assert!(usage.disk_at_once >= 50, "{usage:?}");
}
