//! A stored response, and what a look-up gives.

use std::sync::Arc;

use bytes::Bytes;

use crate::message::outcome::Tier;
use crate::policy::asking::Asking;
use crate::policy::stored::{StoredResponse, Variant};
use crate::store::{CacheKey, Content, Handle, Record};

/// What a look-up gives.
#[derive(Clone)]
pub(crate) struct Found {
    /// The key that the request selects: the primary key, or that of a variant.
    pub(crate) key: CacheKey,
    pub(crate) stored: Option<(Stored, Tier)>,
    /// The known variants of a target of which the selected one is not stored.
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
    pub(super) head: Arc<StoredResponse>,
    body: Bytes,
}

impl Stored {
    /// The response in `record`; `None` if the record is an index of variants.
    pub(crate) fn new(record: Arc<Record>) -> Option<Self> {
        let Content::Response { head, body } = &record.content else { return None };
        let (head, body) = (Arc::clone(head), body.clone());
        Some(Stored { record, head, body })
    }

    /// A new record of a response that `asking` can be asked for again.
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

    pub(crate) fn head(&self) -> &StoredResponse {
        &self.head
    }

    /// The body, whole.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}
