//! What every store promises, whether it has a disk or not.
//!
//! - What was put is served, without a copy of its bytes, until it is removed, purged or evicted.
//! - Of two records for a key the younger wins, in whatever order they are put.
//! - A purge hits what is kept and what is still being fetched, and nothing that begins later.
//! - Memory stays within its bound, whatever the size of what is put; the ledger of purges within its own.

use std::collections::HashSet;
use std::sync::Arc;

use tintype::policy::stored::{Variant, VariantIndex};
use tintype::store::{Config, Content, Handle, Record, Scope, Store};

use crate::store_fixture::{config, get, key, open, put, record, sequence};

/// Runs `check` on both stores, each of its own.
async fn both(check: impl AsyncFn(Arc<dyn Store>)) {
    check(open(&config(None)).await).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(Some(dir.path()))).await;
    check(store.clone()).await;
    store.close().await;
}

#[tokio::test]
async fn what_was_put_is_served_from_memory_without_a_copy() {
    both(async |store| {
        assert!(get(&*store, "a").await.is_none());
        let stored = record(store.next_sequence(), &[Handle(1)], 1000);
        store.put(key("a"), stored.clone());
        let hit = store.get_memory(key("a").as_bytes()).expect("a memory hit");
        assert_eq!(hit, stored);
        assert_eq!(hit.body().as_ptr(), stored.body().as_ptr());
        assert!(get(&*store, "b").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_variant_index_is_kept_like_a_response() {
    both(async |store| {
        let variants = vec![Variant { key: b"k".to_vec(), entity_tag: Some(b"\"t\"".to_vec()) }];
        let index = VariantIndex { selecting: vec!["accept".to_owned()], variants };
        let sequence = store.next_sequence();
        let stored = Arc::new(Record::new(sequence, vec![], Content::Variants(index)));
        store.put(key("a"), stored.clone());
        assert_eq!(store.get_memory(key("a").as_bytes()), Some(stored));
    })
    .await;
}

#[tokio::test]
async fn what_was_removed_is_gone_and_can_be_put_again() {
    both(async |store| {
        put(&*store, "a", 100);
        put(&*store, "b", 100);
        store.remove(&key("a"));
        assert!(get(&*store, "a").await.is_none());
        assert!(get(&*store, "b").await.is_some());
        let again = put(&*store, "a", 100);
        assert_eq!(sequence(&*store, "a").await, Some(again));
    })
    .await;
}

#[tokio::test]
async fn the_younger_record_wins() {
    both(async |store| {
        let (older, younger) = (store.next_sequence(), store.next_sequence());
        store.put(key("a"), record(younger, &[], 100));
        store.put(key("a"), record(older, &[], 100));
        assert_eq!(sequence(&*store, "a").await, Some(younger));
        let newest = put(&*store, "a", 100);
        assert_eq!(sequence(&*store, "a").await, Some(newest));
    })
    .await;
}

#[tokio::test]
async fn the_younger_record_wins_also_when_it_did_not_stay() {
    both(async |store| {
        let older = store.next_sequence();
        // Larger than memory and than a block.
        put(&*store, "a", 3 << 20);
        assert!(get(&*store, "a").await.is_none());
        store.put(key("a"), record(older, &[], 100));
        assert!(get(&*store, "a").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_purge_hits_what_carries_its_handle() {
    both(async |store| {
        let (one, two) = (Handle(1), Handle(2));
        for (name, handles) in [("1", &[one][..]), ("2", &[two]), ("12", &[two, one]), ("none", &[])] {
            store.put(key(name), record(store.next_sequence(), handles, 100));
        }
        store.purge(Scope::Handle(one)).unwrap();
        assert_eq!(store.usage().ledger_entries, 1);
        for (name, served) in [("1", false), ("2", true), ("12", false), ("none", true)] {
            assert_eq!(get(&*store, name).await.is_some(), served, "{name}");
        }
        store.purge(Scope::All).unwrap();
        for name in ["1", "2", "12", "none"] {
            assert!(get(&*store, name).await.is_none(), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_purge_beats_a_fetch_that_began_before_it() {
    both(async |store| {
        for scope in [Scope::Handle(Handle(1)), Scope::All] {
            let begun = store.next_sequence();
            store.purge(scope).unwrap();
            assert!(store.is_purged(&[Handle(1)], begun));
            store.put(key("a"), record(begun, &[Handle(1)], 100));
            assert!(get(&*store, "a").await.is_none(), "{scope:?}");
            let later = store.next_sequence();
            assert!(!store.is_purged(&[Handle(1)], later));
            store.put(key("a"), record(later, &[Handle(1)], 100));
            assert_eq!(sequence(&*store, "a").await, Some(later), "{scope:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn memory_stays_within_its_bound() {
    both(async |store| {
        let capacity = store.usage().memory_capacity;
        assert_eq!(capacity, 1 << 20);
        for n in 0..1100 {
            put(&*store, n, 10_000);
            assert!(store.usage().memory_bytes <= capacity);
        }
        let usage = store.usage();
        assert!(usage.memory_records > 50 && usage.memory_bytes > capacity / 2, "{usage:?}");
        // What has next to no bytes has a key, fields, and the 256 bytes of its entry all the same.
        let each = (record(1, &[], 1).weight() + key("small 1000").as_bytes().len() + 256) as u64;
        for n in 0..5000 {
            put(&*store, format!("small {n}"), 1);
        }
        let usage = store.usage();
        assert!(usage.memory_records <= capacity / each + 20 && usage.memory_bytes <= capacity, "{usage:?}");
    })
    .await;
}

#[tokio::test]
async fn the_ledger_stays_within_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    for dir in [None, Some(dir.path())] {
        let store = open(&Config { max_ledger_entries: 20, ..config(dir) }).await;
        let stored = record(store.next_sequence(), &[Handle(0)], 100);
        for handle in 0..60 {
            store.purge(Scope::Handle(Handle(handle))).unwrap();
            assert!(store.usage().ledger_entries <= 20, "{:?}", store.usage());
        }
        // What was folded is purged still.
        store.put(key("a"), stored);
        assert!(get(&*store, "a").await.is_none());
        store.close().await;
    }
}

#[tokio::test]
async fn sequence_numbers_are_never_given_twice() {
    both(async |store| {
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                std::thread::spawn(move || (0..5000).map(|_| store.next_sequence()).collect::<Vec<_>>())
            })
            .collect();
        let taken: Vec<Vec<u64>> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
        assert!(taken.iter().all(|of_one| of_one.is_sorted_by(|a, b| a < b)));
        let distinct: HashSet<u64> = taken.into_iter().flatten().collect();
        assert_eq!(distinct.len(), 20_000);
    })
    .await;
}

#[tokio::test]
async fn after_close_memory_goes_on() {
    both(async |store| {
        put(&*store, "before", 100);
        store.close().await;
        store.close().await;
        let after = put(&*store, "after", 100);
        assert!(get(&*store, "before").await.is_some());
        assert_eq!(sequence(&*store, "after").await, Some(after));
        store.remove(&key("after"));
        assert!(get(&*store, "after").await.is_none());
    })
    .await;
}
