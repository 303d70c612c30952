//! Putting a whole response into the store: under its key, or as a variant with an entry in the index.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::message::entity_tag::{self, EntityTag};
use crate::message::fields;
use crate::policy::asking::Asking;
use crate::policy::stored::{StoredResponse, Variant, VariantIndex};
use crate::policy::vary::{self, Selecting};
use crate::policy::{groups, tags};
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::dialect;
use crate::proxy::reading::Payload;
use crate::store::{CacheKey, Content, Handle, Record};
use crate::telemetry::counters::Count;

/// Groups and tags of one response that are told apart, together.
const MOST_NAMES: usize = 72;

/// What a stored response belongs to.
pub(crate) struct Place<'a> {
    pub(crate) primary: &'a CacheKey,
    pub(crate) request: &'a Parts,
    pub(crate) sequence: u64,
    pub(crate) handles: &'a [Handle],
    /// What stands for the origin.
    pub(crate) scope: Cow<'a, str>,
    /// The page that it captures.
    pub(crate) page: Option<String>,
}

impl Place<'_> {
    /// What a purge of the response with this head would name: its groups (RFC 9875) and tags too.
    pub(crate) fn handles_of(&self, head: &StoredResponse) -> Vec<Handle> {
        let mut handles = self.handles.to_vec();
        // The key may be one that the response itself made common to several URLs (No-Vary-Search).
        handles.push(Handle::of_key(self.primary.as_bytes()));
        let groups = groups::of(&head.fields);
        let tags = tags::of(&head.fields, MOST_NAMES.saturating_sub(groups.len()));
        handles.extend(groups.iter().map(|group| Handle::of_group(&self.scope, group)));
        handles.extend(tags.told.iter().map(|tag| Handle::of_tag(tag)));
        handles.extend(tags.untold.then(Handle::of_untold_tags));
        handles.sort_unstable();
        handles.dedup();
        handles
    }
}

impl Proxy {
    /// Stores `body` whole under `head`, and gives what is stored. Adds what only the whole body tells: its length, and
    /// an entity tag where the origin gave none.
    pub(crate) async fn keep(&self, place: Place<'_>, mut head: StoredResponse, body: Bytes) -> Stored {
        complete(&mut head, &body);
        self.keep_as_is(place, head, body).await
    }

    /// Stores `body` under a head that is complete already.
    pub(crate) async fn keep_as_is(&self, place: Place<'_>, mut head: StoredResponse, body: Bytes) -> Stored {
        fields::own(&mut head.fields);
        let selecting = vary::selecting(&head.fields);
        let entity_tag = (!head.own_entity_tag)
            .then(|| head.fields.get(header::ETAG).map(|tag| tag.as_bytes().to_vec()))
            .flatten();
        let mut handles = place.handles_of(&head);
        let names = if let Selecting::Fields(names) = &selecting { names.as_slice() } else { &[] };
        let in_dialect = dialect::as_asked(place.request);
        let request = in_dialect.as_ref().unwrap_or(place.request);
        let mut asking = Asking::of(request, place.page.clone(), names);
        // What was asked for with content is not asked for again by its URL alone.
        asking.again = asking.again.filter(|_| place.request.extensions.get::<Payload>().is_none());
        let asking = Arc::new(asking);
        self.counters.add(Count::Stored);
        self.unstored.forget(place.primary);
        match selecting {
            Selecting::Fields(names) => {
                let key = vary::variant_key(place.primary.as_bytes(), &names, &place.request.headers);
                handles.push(Handle::of_key(&key));
                let stored = Stored::record_of(place.sequence, handles, asking, head, body);
                let names = names.iter().map(|name| name.as_str().to_owned()).collect();
                self.store.put(CacheKey::new(key.clone()), Arc::clone(stored.record()));
                self.index(&place, names, Variant { key, entity_tag }).await;
                stored
            }
            // `Vary: *` is never admitted.
            Selecting::Nothing | Selecting::All => {
                let stored = Stored::record_of(place.sequence, handles, asking, head, body);
                self.store.put(place.primary.clone(), Arc::clone(stored.record()));
                stored
            }
        }
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
        // The store takes nothing that is older than what it has. Whether a variant was purged tells its own record.
        let sequence = known.map_or(place.sequence, |known| known.sequence.max(place.sequence));
        let record = Record::new(sequence, place.handles.to_vec(), Content::Variants(index));
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
pub(crate) fn is_cacheable(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
