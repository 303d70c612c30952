//! Putting a whole response into the store: under its key, or as a variant with an entry in the index.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use super::Proxy;
use crate::message::entity_tag::{self, EntityTag};
use crate::policy::groups;
use crate::policy::stored::{StoredResponse, Variant, VariantIndex};
use crate::policy::vary::{self, Selecting};
use crate::store::{CacheKey, Content, Handle, Record};
use crate::telemetry::counters::Count;

/// What a stored response belongs to.
pub(super) struct Place<'a> {
    pub(super) primary: &'a CacheKey,
    pub(super) request: &'a Parts,
    pub(super) sequence: u64,
    pub(super) handles: &'a [Handle],
    /// What stands for the origin.
    pub(super) scope: Cow<'a, str>,
}

impl Place<'_> {
    /// What a purge of the response with this head would name: its groups too (RFC 9875).
    fn handles_of(&self, head: &StoredResponse) -> Vec<Handle> {
        let mut handles = self.handles.to_vec();
        // The key may be one that the response itself made common to several URLs (No-Vary-Search).
        let own = Handle::of_url(&String::from_utf8_lossy(self.primary.as_bytes()));
        let groups = groups::of(&head.fields);
        for handle in groups.iter().map(|group| Handle::of_group(&self.scope, group)).chain([own]) {
            if !handles.contains(&handle) {
                handles.push(handle);
            }
        }
        handles
    }
}

impl Proxy {
    /// Stores `body` whole under `head`, and gives the record. Adds what only the whole body tells: its length, and
    /// an entity tag where the origin gave none.
    pub(super) async fn keep(&self, place: Place<'_>, mut head: StoredResponse, body: Bytes) -> Arc<Record> {
        complete(&mut head, &body);
        self.keep_as_is(place, head, body).await
    }

    /// Stores `body` under a head that is complete already.
    pub(super) async fn keep_as_is(
        &self,
        place: Place<'_>,
        head: StoredResponse,
        body: Bytes,
    ) -> Arc<Record> {
        let selecting = vary::selecting(&head.fields);
        let entity_tag = (!head.own_entity_tag)
            .then(|| head.fields.get(header::ETAG).map(|tag| tag.as_bytes().to_vec()))
            .flatten();
        let record = Arc::new(Record {
            sequence: place.sequence,
            handles: place.handles_of(&head),
            content: Content::Response { head, body },
        });
        self.counters.add(Count::Stored);
        self.unstored.forget(place.primary);
        match selecting {
            Selecting::Fields(names) => {
                let key = vary::variant_key(place.primary.as_bytes(), &names, &place.request.headers);
                let names = names.iter().map(|name| name.as_str().to_owned()).collect();
                self.store.put(CacheKey::new(key.clone()), Arc::clone(&record));
                self.index(&place, names, Variant { key, entity_tag }).await;
            }
            // `Vary: *` is never admitted.
            Selecting::Nothing | Selecting::All => self.store.put(place.primary.clone(), Arc::clone(&record)),
        }
        record
    }

    /// Enters a variant into the index of its target, at the front; what falls off the end is forgotten.
    async fn index(&self, place: &Place<'_>, selecting: Vec<String>, variant: Variant) {
        // One at a time, so that two variants that arrive together are both entered.
        let _one = self.indexing.lock().await;
        let known = match self.store.get_memory(place.primary.as_bytes()) {
            Some(record) => Some(record),
            None => self.store.get_disk(place.primary).await,
        };
        let mut variants = match known.as_deref() {
            Some(Record { content: Content::Variants(index), .. }) if index.selecting == selecting => {
                index.variants.clone()
            }
            _ => Vec::new(),
        };
        variants.retain(|other| other.key != variant.key);
        variants.insert(0, variant);
        for surplus in variants.drain(self.config.max_variants.min(variants.len())..) {
            self.store.remove(&CacheKey::new(surplus.key));
        }
        let index = VariantIndex { selecting, variants };
        let record = Record {
            sequence: place.sequence,
            handles: place.handles.to_vec(),
            content: Content::Variants(index),
        };
        self.store.put(place.primary.clone(), Arc::new(record));
    }
}

/// Adds what only the whole body tells.
fn complete(head: &mut StoredResponse, body: &Bytes) {
    if has_content(head.status) {
        head.fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if EntityTag::of(&head.fields).is_none() && head.status == StatusCode::OK {
        head.fields.insert(header::ETAG, entity_tag::of_body(body));
        head.own_entity_tag = true;
    }
}

fn has_content(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether the method is one whose answers come from the store.
pub(super) fn is_cacheable(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
