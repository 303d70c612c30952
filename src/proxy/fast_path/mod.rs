//! Fast path of hits: a plain request is answered from a prepared response.
//!
//! When a plain request was a hit, its response is kept as it is sent, with the time during which
//! the same decision is certain. Within that time it is enough to check that the record is still
//! the stored one. The responder makes every prepared response, and every request that is not
//! certain goes the normal way.

use std::hash::BuildHasher;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use foldhash::quality::RandomState;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::clock::{Clock, Timestamp};
use crate::message::body::Body;
use crate::message::outcome::{CacheOutcome, Tier};
use crate::message::plain::Plain;
use crate::policy::short;
use crate::policy::stored::StoredResponse;
use crate::proxy::cache::stored::Found;
use crate::proxy::request::CacheRequest;
use crate::proxy::respond::rendition::Rendition;
use crate::proxy::respond::{Responder, tell_audience};
use crate::store::{Content, Record, Store};
use crate::telemetry::counters::{Count, Counters};

pub(crate) mod plain_request;
mod prepared;

use plain_request::{PlainRequest, one};
use prepared::{About, PreparedRendition, PreparedResponse};

/// Places in which the response to one request may lie. There is one response for each format that
/// clients may accept.
const WAYS: usize = 4;

/// The response to a plain request. Its head is in the buffer that was given for it.
#[derive(Debug)]
pub struct Answer {
    /// 200 or 304.
    pub status: StatusCode,
    /// The bytes after the head.
    pub body: Bytes,
}

impl Answer {
    /// What the cache did.
    pub const OUTCOME: CacheOutcome = CacheOutcome::Hit(Tier::Memory);
}

/// Prepared responses, by host and target. A place holds one; a later one replaces it. Readers take
/// no lock.
pub(crate) struct FastPath {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    places: Box<[ArcSwapOption<PreparedResponse>]>,
    hasher: RandomState,
}

impl FastPath {
    /// Room for `places` responses, rounded up to a power of two; none for zero.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        (clock, counters): (Arc<dyn Clock>, Arc<Counters>),
        places: usize,
    ) -> Self {
        let places = if places == 0 { 0 } else { places.next_power_of_two().max(WAYS) };
        FastPath {
            store,
            clock,
            counters,
            places: (0..places).map(|_| ArcSwapOption::empty()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Answers `plain` if a prepared response is there and valid: writes the head to `head`. Counts
    /// the request.
    pub(crate) fn answer(&self, plain: &Plain<'_>, head: &mut Vec<u8>) -> Option<Answer> {
        let answer = self.find(plain, |prepared, unchanged, stored, body, now| {
            prepared.write_head(unchanged, stored, now, head);
            match unchanged {
                true => Answer { status: StatusCode::NOT_MODIFIED, body: Bytes::new() },
                false => Answer { status: StatusCode::OK, body: body.clone() },
            }
        })?;
        self.counters.add(Count::Requests);
        Some(answer)
    }

    /// The same for a request that came as a message with these fields, and is counted already.
    pub(crate) fn respond(&self, request: &PlainRequest, fields: &HeaderMap) -> Option<Response<Body>> {
        let condition = |name: &HeaderName| match fields.contains_key(name) {
            true => one(fields, name).map(Some),
            false => Some(None),
        };
        let (tag, date) = (condition(&header::IF_NONE_MATCH)?, condition(&header::IF_MODIFIED_SINCE)?);
        let accept = condition(&header::ACCEPT)?;
        let plain = Plain {
            target: request.target.as_str(),
            host: request.host.as_bytes(),
            if_none_match: tag.as_ref().map(HeaderValue::as_bytes),
            if_modified_since: date.as_ref().map(HeaderValue::as_bytes),
            accept: accept.as_ref().map(HeaderValue::as_bytes),
            ..Plain::default()
        };
        self.find(&plain, |prepared, unchanged, stored, body, now| {
            let body = if unchanged { Body::Empty } else { Body::whole(body.clone()) };
            let mut response = prepared.message(unchanged, stored, now, body);
            response.extensions_mut().insert(Answer::OUTCOME);
            response
        })
    }

    /// Finds the prepared response to `plain`, if it is valid now, and counts a hit. `answer` gets
    /// it, whether the client has the response already, the stored response, the body and the time.
    fn find<A>(
        &self,
        plain: &Plain<'_>,
        answer: impl FnOnce(&PreparedResponse, bool, &StoredResponse, &Bytes, Timestamp) -> A,
    ) -> Option<A> {
        for place in self.places(plain.host, plain.target) {
            let known = place?.load();
            let Some(prepared) = known.as_deref().filter(|known| known.is_for(plain)) else { continue };
            let now = self.clock.now();
            let unchanged = prepared.unchanged(plain)?;
            if !prepared.valid_during().contains(&now) {
                return None;
            }
            let record = self.store.get_memory(prepared.key())?;
            let Content::Response { head: stored, body } = &record.content else { return None };
            if record.sequence != prepared.sequence() || self.store.stale_since(&record).is_some() {
                return None;
            }
            let made = match prepared.rendition() {
                Some(made) => Some(self.store.get_memory(made.key.as_bytes())?),
                None => None,
            };
            let body = match (prepared.rendition(), made.as_deref()) {
                (None, _) => body,
                (Some(known), Some(Record { sequence, content: Content::Response { body, .. }, .. }))
                    if *sequence == known.sequence && body.len() == known.length =>
                {
                    body
                }
                _ => return None,
            };
            self.counters.add(Count::HitsMemory);
            self.counters.add(Count::HitsPrepared);
            record.seen.hit();
            match prepared.saved {
                Some(cost) => self.counters.tally().saved_capture(cost),
                None => self.counters.tally().saved_call(),
            }
            if unchanged {
                self.counters.add(Count::NotModified);
                self.counters.tally().saved_bytes(body.len() as u64);
            }
            return Some(answer(prepared, unchanged, stored, body, now));
        }
        None
    }

    /// Prepares the response to `plain`, which was a hit: on `found`, or on a rendition of it. Does
    /// nothing if the decision is not certain for a while.
    pub(crate) fn prepare(
        &self,
        responder: &Responder,
        plain: PlainRequest,
        request: &CacheRequest,
        found: &Found,
        rendition: Option<&Rendition>,
    ) {
        let route = &request.route;
        let Some((stored, Tier::Memory)) = &found.stored else { return };
        if self.places.is_empty()
            // The cache key may change, or a hit has more to do.
            || route.no_vary_search
            || route.refresh.watched > 0
            || found.key != request.primary
            || self.store.stale_since(stored.record()).is_some()
        {
            return;
        }
        let (head, body) = (stored.head(), stored.body());
        let Some(mut valid) = short::certain(&request.plan, head, route.refresh.early) else { return };
        // The target alone admits the request, and only so long.
        let Some(until) = request.leave.lasts() else { return };
        valid.end = valid.end.min(until);
        let now = self.clock.now();
        let compose = |fields: HeaderMap| {
            let mut response = responder.compose_hit(fields, &request.head.uri, head, body, now);
            tell_audience(route.audience, request.leave.asker(), &mut response);
            response
        };
        let compose = |fields: HeaderMap| match rendition {
            Some(rendition) => rendition.compose(fields, compose(HeaderMap::new()), now),
            None => compose(fields),
        };
        if rendition.is_some() {
            // Dates were compared with this moment.
            valid.start = valid.start.max(now);
        }
        let about = About {
            host: plain.host,
            target: plain.target,
            key: found.key.clone(),
            sequence: stored.record().sequence,
            valid_during: valid,
            saved: route.lifetimes.engine.then_some(head.cost),
            rendition: rendition.map(PreparedRendition::of),
        };
        let body = rendition.map_or(body, |rendition| &rendition.body);
        if let Some(prepared) = PreparedResponse::new(about, body, compose) {
            self.keep(prepared);
        }
    }

    fn places(&self, host: &[u8], target: &str) -> [Option<&ArcSwapOption<PreparedResponse>>; WAYS] {
        let hash = self.hasher.hash_one((host, target.as_bytes()));
        let mask = self.places.len().wrapping_sub(1);
        [0, 16, 32, 48].map(|bits| self.places.get(hash.rotate_right(bits) as usize & mask))
    }

    fn keep(&self, prepared: PreparedResponse) {
        let places = self.places(prepared.host(), prepared.target());
        // The place with a response to the same request, else an empty one, else the one whose
        // response ends first.
        let worth = |place: &&ArcSwapOption<PreparedResponse>| match &*place.load() {
            Some(known) if known.is_for_the_same_as(&prepared) => 0,
            None => 1,
            Some(known) => known.valid_during().end.0.saturating_add(2),
        };
        if let Some(place) = places.into_iter().flatten().min_by_key(worth) {
            place.store(Some(Arc::new(prepared)));
        }
    }
}

#[cfg(test)]
mod tests;
