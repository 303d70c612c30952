//! The disk tier in good health.
//!
//! - What was stored is served after a restart, in its last version; what was removed or purged is not.
//! - An update that does not reach the disk does not bring the older version back.
//! - A read that races a write never ends on the older value, and many reads of one key share one load.
//! - What the writer has no room for is counted, and served from memory.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tintype::store::{self, Config, Handle, OpenError, Scope};

use crate::store_fixture::{config, disk_only, get, key, open, put, record, reopen, sequence};

#[tokio::test]
async fn a_restart_serves_what_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let store = open(&config).await;
    let stored: Vec<u64> = (0..200).map(|n| put(&*store, n, 5000 + n)).collect();
    let store = reopen(store, &config).await;
    for (n, stored) in stored.into_iter().enumerate() {
        assert!(store.get_memory(key(n).as_bytes()).is_none());
        assert_eq!(sequence(&*store, n).await, Some(stored), "{n}");
        assert!(store.get_memory(key(n).as_bytes()).is_some(), "what was read is kept in memory");
    }
    assert_eq!(store.usage().disk_errors, 0);
}

#[tokio::test]
async fn a_restart_serves_the_last_version_and_nothing_that_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let mut store = open(&config).await;
    for n in 0..30 {
        put(&*store, n, 5000);
    }
    store = reopen(store, &config).await;
    let updated: Vec<u64> = (0..10).map(|n| put(&*store, n, 6000)).collect();
    for n in 10..20 {
        store.remove(&key(n));
        // A second one while the first still waits to be written.
        put(&*store, format!("short-lived {n}"), 5000);
        store.remove(&key(format!("short-lived {n}")));
    }
    for _ in 0..2 {
        store = reopen(store, &config).await;
        for n in 0..30 {
            let expected = updated.get(n).copied();
            match n {
                0..10 => assert_eq!(sequence(&*store, n).await, expected, "{n}"),
                10..20 => assert!(get(&*store, n).await.is_none(), "{n}"),
                _ => assert!(get(&*store, n).await.is_some(), "{n}"),
            }
            assert!(get(&*store, format!("short-lived {n}")).await.is_none(), "{n}");
        }
    }
}

#[tokio::test]
async fn a_removed_record_that_waits_to_be_written_is_gone_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&disk_only(dir.path())).await;
    for n in 0..50 {
        put(&*store, n, 5000);
        assert!(get(&*store, n).await.is_some());
        store.remove(&key(n));
        assert!(get(&*store, n).await.is_none(), "{n}");
    }
}

/// What waits to be handed to the writer stands in for what it replaces, also if it is dropped before.
#[tokio::test]
async fn regression_what_is_dropped_before_it_is_written_brings_nothing_older_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let store = open(&config).await;
    let older = put(&*store, "a", 5000);
    let store = reopen(store, &config).await;
    assert_eq!(sequence(&*store, "a").await, Some(older));
    put(&*store, "a", 6000);
    store.drop_stored(&key("a"));
    assert!(get(&*store, "a").await.is_none());
    let store = reopen(store, &config).await;
    assert!(get(&*store, "a").await.is_none(), "an older version is back");
}

#[tokio::test]
async fn purges_hold_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let store = open(&config).await;
    for n in 0..200_u64 {
        store.put(key(n), record(store.next_sequence(), &[Handle(n)], 4000));
    }
    for n in 0..100 {
        store.purge(Scope::Handle(Handle(n))).unwrap();
    }
    let store = reopen(store, &config).await;
    for n in 0..200 {
        assert_eq!(get(&*store, n).await.is_some(), n >= 100, "{n}");
    }
    store.purge(Scope::All).unwrap();
    let later = put(&*store, "later", 4000);
    let store = reopen(store, &config).await;
    for n in 0..200 {
        assert!(get(&*store, n).await.is_none(), "{n}");
    }
    assert_eq!(sequence(&*store, "later").await, Some(later));
}

#[tokio::test]
async fn an_update_too_large_for_the_disk_takes_the_older_version_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_only(dir.path());
    let store = open(&config).await;
    put(&*store, "a", 5000);
    assert!(get(&*store, "a").await.is_some());
    let store = reopen(store, &config).await;
    assert!(get(&*store, "a").await.is_some());
    put(&*store, "a", 1 << 20);
    assert_eq!(store.usage().disk_dropped, 1);
    assert!(get(&*store, "a").await.is_none());
    let store = reopen(store, &config).await;
    assert!(get(&*store, "a").await.is_none(), "nor after a restart");
}

// One thread, and no await between the puts: the writer cannot run meanwhile.
#[tokio::test(flavor = "current_thread")]
async fn a_burst_beyond_the_queue_is_counted_and_brings_nothing_old_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        memory_bytes: 16 << 20,
        disk_bytes: 32 << 20,
        write_buffer_bytes: 1 << 20,
        ..config(Some(dir.path()))
    };
    let mut store = open(&config).await;
    for n in 0..90 {
        put(&*store, n, 10_000);
    }
    store = reopen(store, &config).await;
    assert_eq!(store.usage().disk_dropped, 0);
    let updated: Vec<u64> = (0..500).map(|n| put(&*store, n % 250, 10_000)).skip(250).collect();
    let dropped = store.usage().disk_dropped;
    assert!((400..450).contains(&dropped), "{dropped} of 500");
    for (n, &updated) in updated.iter().enumerate() {
        assert_eq!(sequence(&*store, n).await, Some(updated), "memory serves all: {n}");
    }
    let config = Config { memory_bytes: 1, ..config };
    store = reopen(store, &config).await;
    let mut served = 0;
    for (n, &updated) in updated.iter().enumerate() {
        if let Some(found) = sequence(&*store, n).await {
            assert_eq!(found, updated, "an older version is back: {n}");
            served += 1;
        }
    }
    assert!(served <= 500 - dropped, "{served}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_that_races_a_write_never_ends_on_the_older_value() {
    let dir = tempfile::tempdir().unwrap();
    // Memory for a few records only: most reads go to the disk.
    let config = Config { memory_bytes: 64 << 10, disk_bytes: 32 << 20, ..config(Some(dir.path())) };
    let store = open(&config).await;
    for n in 0..1000 {
        put(&*store, n, 4000);
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let store = reopen(store, &config).await;
    for n in 0..1000 {
        let reader = tokio::spawn({
            let store = store.clone();
            async move { sequence(&*store, n).await }
        });
        let writer = tokio::spawn({
            let store = store.clone();
            async move { put(&*store, n, 4000) }
        });
        let (_, written) = (reader.await.unwrap(), writer.await.unwrap());
        let found = sequence(&*store, n).await;
        assert!(found.is_none_or(|found| found == written), "{n}: {found:?}, {written} was put");
    }
    for n in 0..10 {
        put(&*store, n, 4000);
    }
    assert_eq!(store.usage().disk_errors, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_reads_of_one_key_share_one_load() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let store = open(&config).await;
    put(&*store, "a", 100_000);
    let store = reopen(store, &config).await;
    let reads: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { get(&*store, "a").await.expect("a hit") })
        })
        .collect();
    let mut first: Option<Arc<_>> = None;
    for read in reads {
        let record = read.await.unwrap();
        let first = first.get_or_insert_with(|| record.clone());
        assert!(Arc::ptr_eq(first, &record), "loaded twice");
    }
}

#[tokio::test]
async fn a_read_that_is_given_up_does_not_spoil_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let store = open(&config).await;
    for n in 0..20 {
        put(&*store, n, 100_000);
    }
    let store = reopen(store, &config).await;
    for n in 0..20 {
        let key = key(n);
        let mut given_up = store.get_disk(&key);
        // Most of them are pending now; all are dropped.
        let _ = given_up.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(given_up);
        assert!(get(&*store, n).await.is_some(), "{n}");
    }
}

#[test]
fn what_changes_during_a_read_is_not_served_as_it_was() {
    // All I/O goes through one thread, which is held while the key changes.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let config = disk_only(dir.path());
        let store = open(&config).await;
        for n in 0..30 {
            store.put(key(n), record(store.next_sequence(), &[Handle(n)], 5000));
        }
        let store = reopen(store, &config).await;
        for n in 0..30 {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let holder = tokio::task::spawn_blocking(move || held.recv());
            let key = key(n);
            let mut read = store.get_disk(&key);
            let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            match n % 3 {
                0 => store.remove(&key),
                1 => store.purge(Scope::Handle(Handle(n))).unwrap(),
                // Too large for the disk and for memory.
                _ => store.put(key.clone(), record(store.next_sequence(), &[], 2 << 20)),
            }
            drop(release);
            assert!(read.await.is_none(), "{n}");
            assert!(holder.await.unwrap().is_err());
        }
    });
}

#[tokio::test]
async fn the_oldest_blocks_are_overwritten_first_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_only(dir.path());
    let mut store = open(&config).await;
    let mut last = 0;
    for round in 0..6 {
        for n in 0..4 {
            last = round * 4 + n;
            put(&*store, last, 900_000);
            // The disk holds eight of these, one to a block; the writer's queue holds four.
            store.get_disk(&key("nothing")).await;
        }
        store = reopen(store, &config).await;
    }
    let mut served = Vec::new();
    for n in 0..=last {
        if get(&*store, n).await.is_some() {
            served.push(n);
        }
    }
    assert!(served.len() >= 5 && served[0] == last + 1 - served.len(), "{served:?} of {last}");
}

#[tokio::test]
async fn a_folder_belongs_to_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let store = open(&config).await;
    let Err(error) = store::open(&config).await else { panic!("opened twice") };
    assert!(matches!(&error, OpenError::Locked { path } if path == dir.path()));
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    reopen(store, &config).await;
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let inner = dir.path().join("inner");
    let good = config(Some(&inner));
    let name = |error: OpenError| match error {
        OpenError::Folder { path, .. } => path.display().to_string(),
        other => format!("{other:?}").split_once(' ').unwrap().0.to_owned(),
    };
    for (config, expected) in [
        (Config { dir: Some(file.clone()), ..good.clone() }, file.display().to_string()),
        (Config { dir: Some(file.join("below")), ..good.clone() }, file.join("below").display().to_string()),
        (Config { disk_bytes: 3 << 20, ..good.clone() }, "TooSmall".to_owned()),
        (Config { block_bytes: 1 << 40, disk_bytes: 1 << 50, ..good.clone() }, "BlockTooLarge".to_owned()),
        (Config { block_bytes: 4096, disk_bytes: 1 << 50, ..good.clone() }, "OpenFiles".to_owned()),
    ] {
        let Err(error) = store::open(&config).await else { panic!("opened with {config:?}") };
        assert_eq!(name(error), expected);
    }
    open(&good).await;
}

/// One process gives the folder up while it still answers from memory; the next one has all of it.
#[tokio::test]
async fn a_folder_that_was_given_up_is_another_ones_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(Some(dir.path()));
    let old = open(&config).await;
    let stored = put(&*old, "a", 5000);
    assert!(store::is_locked(dir.path()));
    let waiting = Config { lock_timeout: Duration::from_secs(30), ..config.clone() };
    let (new, ()) = tokio::join!(store::open(&waiting), async {
        tokio::task::yield_now().await;
        old.close().await;
    });
    let new = new.expect("it was given up");
    assert!(store::is_locked(dir.path()));
    assert_eq!(sequence(&*new, "a").await, Some(stored));
    // The old one has its memory, writes nothing, and confirms no purge that would not last.
    assert_eq!(sequence(&*old, "a").await, Some(stored));
    put(&*old, "b", 5000);
    assert!(sequence(&*old, "b").await.is_some());
    assert!(old.purge(Scope::All).is_err());
    let later = put(&*new, "c", 5000);
    new.purge(Scope::Handle(Handle(1))).unwrap();
    // Its end is over.
    old.close().await;
    drop(old);
    let new = reopen(new, &config).await;
    assert_eq!(sequence(&*new, "a").await, Some(stored));
    assert_eq!(sequence(&*new, "b").await, None);
    assert_eq!(sequence(&*new, "c").await, Some(later));
    new.close().await;
}
