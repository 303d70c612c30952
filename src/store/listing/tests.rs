use super::*;
use crate::policy::stored::VariantIndex;

fn record(sequence: u64, handles: &[u64]) -> Record {
    let (head, _) = crate::policy::stored::tests::stored(&[("cache-control", "max-age=60")]);
    let content = Content::Response { head: head.into(), body: bytes::Bytes::from_static(b"abc") };
    Record::new(sequence, handles.iter().map(|&handle| Handle(handle)).collect(), content)
}

fn key(name: u64) -> CacheKey {
    CacheKey::new(format!("r /{name}").into_bytes())
}

fn filled() -> Listing {
    let listing = Listing::new(100);
    for n in 0..20 {
        listing.note(&key(n), &record(n + 1, &[1, 100 + n % 2, 200 + n]));
    }
    listing
}

/// Every page of `query`, as sequence numbers.
fn paged(listing: &Listing, query: &[&[u64]], limit: usize) -> Vec<u64> {
    let query =
        Query(query.iter().map(|group| group.iter().map(|&handle| Handle(handle)).collect()).collect());
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let (entries, next) = listing.page(&query, from, limit);
        all.extend(entries.iter().map(|(_, entry)| entry.sequence));
        after = next;
    }
    all
}

#[test]
fn it_is_paged_by_handles_in_every_size_of_page() {
    let listing = filled();
    for limit in [1, 2, 3, 7, 20, 100] {
        assert_eq!(paged(&listing, &[], limit).len(), 20, "{limit}");
        assert_eq!(paged(&listing, &[&[101]], limit), (1..=10).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(paged(&listing, &[&[100, 203]], limit).len(), 11);
        assert_eq!(paged(&listing, &[&[1], &[101], &[203, 204]], limit), [4]);
        assert!(paged(&listing, &[&[7]], limit).is_empty());
    }
}

#[test]
fn a_key_is_listed_once_and_its_hits_go_on() {
    let listing = filled();
    let first = record(30, &[1]);
    listing.note(&key(3), &first);
    first.seen.hit();
    listing.note(&key(3), &first);
    let second = record(31, &[2]);
    listing.note(&key(3), &second);
    second.seen.hit();
    assert_eq!(listing.len(), 20);
    assert_eq!(paged(&listing, &[&[1]], 50).len(), 19);
    let (entries, _) = listing.page(&Query(vec![vec![Handle(2)]]), 0, 10);
    assert_eq!(entries[0].1.hits.load(Ordering::Relaxed), 2);
    listing.note(&key(3), &Record::new(32, vec![], Content::Variants(VariantIndex::default())));
    listing.forget_key(key(4).as_bytes());
    assert_eq!(listing.len(), 18);
    let index = listing.index.lock();
    assert_eq!((index.by_key.len(), index.by_handle.len()), (18, 18 * 3));
}

#[test]
fn it_is_bounded_and_says_so() {
    let listing = Listing::new(5);
    for n in 0..5 {
        listing.note(&key(n), &record(n + 1, &[1]));
    }
    assert!(listing.is_complete());
    listing.note(&key(9), &record(10, &[1]));
    assert_eq!(paged(&listing, &[], 10), [2, 3, 4, 5, 10]);
    assert!(!listing.is_complete());
    // The entries of the last process are counted too.
    let listing = Listing::new(5);
    listing.take_over(filled().all().0, true);
    assert_eq!((listing.len(), listing.is_complete()), (5, false));
}

#[test]
fn it_is_saved_whole_or_begins_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("listing");
    let (entries, complete) = filled().all();
    file::save(&path, entries.clone(), complete).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let (read, complete) = file::take(&path, 100).unwrap();
    assert!(complete && !path.exists(), "it is good for one start");
    assert_eq!(read.len(), 20);
    assert_eq!(format!("{read:?}"), format!("{entries:?}"));
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        assert!(file::take(&path, 100).is_none(), "{at}");
    }
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(file::take(&path, 100).is_none());
    std::fs::write(&path, &whole).unwrap();
    let (read, complete) = file::take(&path, 6).unwrap();
    assert_eq!((read.len(), read[0].sequence, complete), (6, 15, false));
}
