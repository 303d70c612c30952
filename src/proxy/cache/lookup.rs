//! Looking for the stored response that a request selects.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;
use http::request::Parts;

use crate::message::outcome::Tier;
use crate::policy::asking::Asking;
use crate::policy::stored::{StoredResponse, Variant, VariantIndex};
use crate::policy::{purge, vary};
use crate::proxy::Proxy;
use crate::store::{CacheKey, Content, Handle, Record};

/// What a look-up gives.
pub(crate) struct Found {
    /// The key of what the request selects: the primary key, or that of a variant.
    pub(crate) key: CacheKey,
    /// The stored response, if there is one.
    pub(crate) stored: Option<(Stored, Tier)>,
    /// The variants that are known of a target of which the selected one is not stored.
    pub(crate) variants: Vec<Variant>,
}

impl Found {
    /// Nothing, under `key`.
    pub(crate) fn nothing(key: &CacheKey) -> Self {
        Found { key: key.clone(), stored: None, variants: Vec::new() }
    }
}

/// A stored response: a record that holds one, and its head as a soft purge left it.
#[derive(Clone)]
pub(crate) struct Stored {
    record: Arc<Record>,
    head: Arc<StoredResponse>,
    body: Bytes,
}

impl Stored {
    /// The response in `record`; `None` if it holds none.
    pub(crate) fn new(record: Arc<Record>) -> Option<Self> {
        let Content::Response { head, body } = &record.content else { return None };
        let (head, body) = (Arc::clone(head), body.clone());
        Some(Stored { record, head, body })
    }

    /// A new record of a response that was fetched as `asking` says.
    pub(crate) fn record_of(
        sequence: u64,
        handles: Vec<Handle>,
        asking: Arc<Asking>,
        head: StoredResponse,
        body: Bytes,
    ) -> Self {
        let head = Arc::new(head);
        let content = Content::Response { head: Arc::clone(&head), body: body.clone() };
        let record = Arc::new(Record { asking, ..Record::new(sequence, handles, content) });
        Stored { record, head, body }
    }

    /// The head.
    pub(crate) fn head(&self) -> &StoredResponse {
        &self.head
    }

    /// The body, whole.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The record.
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl Proxy {
    /// `record`, if it holds a response: stale since the soft purge that hit it, if one did.
    pub(crate) fn stored(&self, record: Arc<Record>) -> Option<Stored> {
        let mut stored = Stored::new(record)?;
        if let Some(since) = self.store.stale_since(&stored.record) {
            stored.head = Arc::new(purge::soften(&stored.head, since));
        }
        Some(stored)
    }

    /// Finds what is stored for `request` under `primary`, through the index of variants where there is one.
    pub(crate) async fn look_up(&self, primary: &CacheKey, request: &Parts) -> Found {
        let Some((record, tier)) = self.read(primary).await else {
            return Found::nothing(primary);
        };
        match &record.content {
            Content::Response { .. } => Found {
                key: primary.clone(),
                stored: self.stored(record).map(|stored| (stored, tier)),
                variants: Vec::new(),
            },
            Content::Variants(index) => {
                let key = select(primary, index, request);
                // One that is not listed was forgotten, and must not come back by another's entry.
                let listed = index.variants.iter().any(|variant| variant.key == key.as_bytes());
                let stored = match self.read(&key).await {
                    Some((variant, tier)) if listed => self.stored(variant).map(|stored| (stored, tier)),
                    _ => None,
                };
                let variants = if stored.is_none() { index.variants.clone() } else { Vec::new() };
                Found { key, stored, variants }
            }
        }
    }

    pub(crate) async fn read(&self, key: &CacheKey) -> Option<(Arc<Record>, Tier)> {
        if let Some(record) = self.store.get_memory(key.as_bytes()) {
            return Some((record, Tier::Memory));
        }
        Some((self.store.get_disk(key).await?, Tier::Disk))
    }
}

/// The key of the variant that `request` selects by the names of the most recent `Vary` (RFC 9111 section 4.1).
pub(crate) fn select(primary: &CacheKey, index: &VariantIndex, request: &Parts) -> CacheKey {
    let names: Vec<HeaderName> =
        index.selecting.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    CacheKey::new(vary::variant_key(primary.as_bytes(), &names, &request.headers))
}
