//! Stores of test size, and records whose bytes tell whether they are the right ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use tintype::clock::Timestamp;
use tintype::policy::stored::StoredResponse;
use tintype::store::{self, CacheKey, Config, Content, Handle, Record, Store};

/// 1 MiB of memory over 8 MiB of disk in blocks of 1 MiB.
pub(crate) fn config(dir: Option<&Path>) -> Config {
    Config {
        dir: dir.map(Path::to_owned),
        memory_bytes: 1 << 20,
        disk_bytes: 8 << 20,
        block_bytes: 1 << 20,
        write_buffer_bytes: 4 << 20,
        max_ledger_entries: 1000,
        max_listed: 1000,
        canary_interval: Duration::from_millis(20),
        lock_timeout: Duration::ZERO,
    }
}

/// The same with next to no memory, so that reads come from disk.
pub(crate) fn disk_only(dir: &Path) -> Config {
    Config { memory_bytes: 1, ..config(Some(dir)) }
}

pub(crate) async fn open(config: &Config) -> Arc<dyn Store> {
    store::open(config).await.expect("the store opens")
}

/// Closes `store`, which must be the last handle to it, and opens it again.
pub(crate) async fn reopen(store: Arc<dyn Store>, config: &Config) -> Arc<dyn Store> {
    store.close().await;
    drop(store);
    open(config).await
}

pub(crate) fn key(name: impl std::fmt::Display) -> CacheKey {
    CacheKey::new(format!("GET http://origin.test/{name}").into_bytes())
}

/// A record of `bytes` bytes that are like those of no other sequence number.
pub(crate) fn record(sequence: u64, handles: &[Handle], bytes: usize) -> Arc<Record> {
    let body: Vec<u8> = sequence.to_le_bytes().into_iter().cycle().take(bytes).collect();
    let mut fields = HeaderMap::new();
    fields.insert("content-type", HeaderValue::from_static("image/png"));
    let head = StoredResponse {
        status: StatusCode::OK,
        fields,
        request_time: Timestamp::from_secs(1),
        response_time: Timestamp::from_secs(2),
        initial_age: Duration::ZERO,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        stale_when_disconnected: Duration::ZERO,
        no_cache: false,
        must_revalidate: false,
        immutable: false,
        own_entity_tag: false,
        cost: Duration::from_secs(3),
        ruling: None,
        history: None,
    };
    let content = Content::Response { head: head.into(), body: body.into() };
    Arc::new(Record::new(sequence, handles.to_vec(), content))
}

/// Puts a record of `bytes` bytes under `name`; its sequence number.
pub(crate) fn put(store: &dyn Store, name: impl std::fmt::Display, bytes: usize) -> u64 {
    let sequence = store.next_sequence();
    store.put(key(name), record(sequence, &[], bytes));
    sequence
}

/// What a request gets: from memory, else from disk. Whatever comes must be whole.
pub(crate) async fn get(store: &dyn Store, name: impl std::fmt::Display) -> Option<Arc<Record>> {
    let key = key(name);
    let found = match store.get_memory(key.as_bytes()) {
        Some(record) => Some(record),
        None => store.get_disk(&key).await,
    }?;
    let whole = record(found.sequence, &found.handles, found.body().len());
    assert_eq!(found, whole, "a record came back changed");
    Some(found)
}

/// The sequence number of what a request gets.
pub(crate) async fn sequence(store: &dyn Store, name: impl std::fmt::Display) -> Option<u64> {
    get(store, name).await.map(|record| record.sequence)
}
