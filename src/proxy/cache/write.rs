//! Stores a whole response: under its key, or as a variant with an entry in the index of variants.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use super::Cache;
use super::stored::Stored;
use crate::message::entity_tag::{self, EntityTag};
use crate::message::fields;
use crate::policy::asking::Asking;
use crate::policy::stored::{StoredResponse, Variant, VariantIndex};
use crate::policy::vary::{self, Selecting};
use crate::policy::{groups, tags};
use crate::proxy::request::dialect;
use crate::proxy::request::reading::Payload;
use crate::store::{CacheKey, Content, Handle, Record};
use crate::telemetry::counters::Count;

/// Groups and tags of one response that get a handle each.
const MAX_NAMES: usize = 72;

/// What a response is stored for.
pub(crate) struct WriteContext<'a> {
    pub(crate) primary: &'a CacheKey,
    pub(crate) request: &'a Parts,
    pub(crate) sequence: u64,
    pub(crate) handles: &'a [Handle],
    /// The part of the key that stands for the origin.
    pub(crate) scope: Cow<'a, str>,
    /// The page that it captures.
    pub(crate) page: Option<String>,
}

impl WriteContext<'_> {
    /// The handles by which a purge finds the response with this head: its groups (RFC 9875) and
    /// tags too.
    pub(crate) fn handles_of(&self, head: &StoredResponse) -> Vec<Handle> {
        let mut handles = self.handles.to_vec();
        // No-Vary-Search may have given several URLs this key.
        handles.push(Handle::of_key(self.primary.as_bytes()));
        let groups = groups::of(&head.fields);
        let tags = tags::of(&head.fields, MAX_NAMES.saturating_sub(groups.len()));
        handles.extend(groups.iter().map(|group| Handle::of_group(&self.scope, group)));
        handles.extend(tags.told.iter().map(|tag| Handle::of_tag(tag)));
        handles.extend(tags.untold.then(Handle::of_untold_tags));
        handles.sort_unstable();
        handles.dedup();
        handles
    }
}

impl Cache {
    /// Stores a whole response. Adds the length, and an entity tag if the origin gave none.
    pub(crate) async fn write(
        &self,
        context: WriteContext<'_>,
        mut head: StoredResponse,
        body: Bytes,
    ) -> Stored {
        complete(&mut head, &body);
        self.write_as_is(context, head, body).await
    }

    /// Stores `body` under a head that is complete already.
    pub(crate) async fn write_as_is(
        &self,
        context: WriteContext<'_>,
        mut head: StoredResponse,
        body: Bytes,
    ) -> Stored {
        fields::own(&mut head.fields);
        let selecting = vary::selecting(&head.fields);
        let entity_tag = (!head.own_entity_tag)
            .then(|| head.fields.get(header::ETAG).map(|tag| tag.as_bytes().to_vec()))
            .flatten();
        let mut handles = context.handles_of(&head);
        let names = if let Selecting::Fields(names) = &selecting { names.as_slice() } else { &[] };
        let in_dialect = dialect::as_asked(context.request);
        let request = in_dialect.as_ref().unwrap_or(context.request);
        let mut asking = Asking::of(request, context.page.clone(), names);
        // A request with content cannot be repeated by its URL alone.
        asking.again = asking.again.filter(|_| context.request.extensions.get::<Payload>().is_none());
        let asking = Arc::new(asking);
        self.counters.add(Count::Stored);
        self.declined.forget(context.primary);
        match selecting {
            Selecting::Fields(names) => {
                let key = vary::variant_key(context.primary.as_bytes(), &names, &context.request.headers);
                handles.push(Handle::of_key(&key));
                let stored = Stored::record_of(context.sequence, handles, asking, head, body);
                let names = names.iter().map(|name| name.as_str().to_owned()).collect();
                self.store.put(CacheKey::new(key.clone()), Arc::clone(stored.record()));
                self.index(&context, names, Variant { key, entity_tag }).await;
                stored
            }
            // `Vary: *` is never admitted.
            Selecting::Nothing | Selecting::All => {
                let stored = Stored::record_of(context.sequence, handles, asking, head, body);
                self.store.put(context.primary.clone(), Arc::clone(stored.record()));
                stored
            }
        }
    }

    /// Enters a variant at the front of the index of its target. Variants beyond `max_variants` are
    /// removed.
    async fn index(&self, context: &WriteContext<'_>, selecting: Vec<String>, variant: Variant) {
        // One at a time, so that two variants that arrive together are both entered.
        let _one = self.indexing.lock().await;
        let known = match self.store.get_memory(context.primary.as_bytes()) {
            Some(record) => Some(record),
            None => self.store.get_disk(context.primary).await,
        };
        let mut variants = match known.as_deref() {
            Some(Record { content: Content::Variants(index), .. }) if index.selecting == selecting => {
                index.variants.clone()
            }
            _ => Vec::new(),
        };
        variants.retain(|other| other.key != variant.key);
        variants.insert(0, variant);
        for surplus in variants.drain(self.max_variants.min(variants.len())..) {
            self.store.remove(&CacheKey::new(surplus.key));
        }
        let index = VariantIndex { selecting, variants };
        // The store takes no record older than the one that it has. Each variant carries its own
        // sequence for purges.
        let sequence = known.map_or(context.sequence, |known| known.sequence.max(context.sequence));
        let record = Record::new(sequence, context.handles.to_vec(), Content::Variants(index));
        self.store.put(context.primary.clone(), Arc::new(record));
    }
}

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
