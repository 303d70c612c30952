//! The short way of a hit: what the long way found out of a plain request is kept as a `Prepared` answer, with the time in which it is
//! certain to find the same again. All that is left to do then is to look whether the record is still the one that is stored.
//!
//! The long way stays the only one that decides: it makes every prepared answer with its own functions, and whatever is not
//! certain goes through it.

use std::hash::BuildHasher;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use foldhash::quality::RandomState;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};

use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::outcome::{CacheOutcome, Tier};
use crate::message::plain::{Meaning, Plain, meaning};
use crate::policy::short;
use crate::policy::stored::StoredResponse;
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::{Found, Stored};
use crate::proxy::respond::rendition::Derived;
use crate::proxy::respond::tell_audience;
use crate::store::{Content, Record};
use crate::telemetry::counters::Count;

mod prepared;

pub(crate) use prepared::Made;
use prepared::{Prepared, one};

/// Places in which one request may lie: there may be an answer for each format that clients can show.
const WAYS: usize = 4;

/// An answer that is ready to be sent; its head is in the buffer that was given for it.
#[derive(Debug)]
pub struct Answer {
    /// 200 or 304.
    pub status: StatusCode,
    /// What follows the head.
    pub body: Bytes,
}

impl Answer {
    /// What the cache did.
    pub const OUTCOME: CacheOutcome = CacheOutcome::Hit(Tier::Memory);
}

/// Prepared answers by what was asked for. A place holds one; what comes later takes it over. To read takes no lock.
pub(crate) struct Prepareds {
    places: Box<[ArcSwapOption<Prepared>]>,
    hasher: RandomState,
}

/// A plain request as a message: over HTTP/2, or on the long way.
#[derive(Clone)]
pub(crate) struct Ticket {
    host: HeaderValue,
    target: PathAndQuery,
}

impl Ticket {
    /// Of a request that is [`Plain`], or would be if it were read from bytes of HTTP/1.1.
    pub(crate) fn of(request: &Parts) -> Option<Ticket> {
        if request.method != Method::GET {
            return None;
        }
        let plain = |name: &HeaderName, value: &HeaderValue| match meaning(name.as_str()) {
            Meaning::Host | Meaning::IfNoneMatch | Meaning::IfModifiedSince => true,
            Meaning::Accept | Meaning::Nothing => true,
            // Any other names fields that leave.
            Meaning::Framing => {
                let usual = |usual: &&[u8]| value.as_bytes().eq_ignore_ascii_case(usual);
                name == header::CONNECTION && [&b"close"[..], b"keep-alive"].iter().any(usual)
            }
            Meaning::Cache => false,
        };
        let host = match (request.version, request.uri.authority()) {
            (Version::HTTP_11, None) => one(&request.headers, &header::HOST)?,
            (Version::HTTP_2, Some(authority)) if !request.headers.contains_key(header::HOST) => {
                HeaderValue::from_str(authority.as_str()).ok()?
            }
            _ => return None,
        };
        request.headers.iter().all(|(name, value)| plain(name, value)).then_some(())?;
        Some(Ticket { host, target: request.uri.path_and_query()?.clone() })
    }
}

impl Prepareds {
    /// Room for so many answers; none at all for zero.
    pub(crate) fn new(places: usize) -> Self {
        let places = if places == 0 { 0 } else { places.next_power_of_two().max(WAYS) };
        Prepareds {
            places: (0..places).map(|_| ArcSwapOption::empty()).collect(),
            hasher: RandomState::default(),
        }
    }

    fn places(&self, host: &[u8], target: &str) -> [Option<&ArcSwapOption<Prepared>>; WAYS] {
        let hash = self.hasher.hash_one((host, target.as_bytes()));
        let mask = self.places.len().wrapping_sub(1);
        [0, 16, 32, 48].map(|bits| self.places.get(hash.rotate_right(bits) as usize & mask))
    }

    fn keep(&self, prepared: Prepared) {
        let places = self.places(prepared.host(), prepared.target());
        // One that is there for the same, else none, else the one that is over first.
        let worth = |place: &&ArcSwapOption<Prepared>| match &*place.load() {
            Some(known) if known.is_for_the_same_as(&prepared) => 0,
            None => 1,
            Some(known) => known.sure().end.0.saturating_add(2),
        };
        if let Some(place) = places.into_iter().flatten().min_by_key(worth) {
            place.store(Some(Arc::new(prepared)));
        }
    }
}

impl Proxy {
    /// Answers `plain` if what it asks for is prepared and still certain: writes the head to `head`. Counts what it answers.
    pub fn short(&self, plain: &Plain<'_>, head: &mut Vec<u8>) -> Option<Answer> {
        let answer = self.sure(plain, |prepared, unchanged, stored, body, now| {
            prepared.write_head(unchanged, stored, now, head);
            match unchanged {
                true => Answer { status: StatusCode::NOT_MODIFIED, body: Bytes::new() },
                false => Answer { status: StatusCode::OK, body: body.clone() },
            }
        })?;
        self.counters.add(Count::Requests);
        Some(answer)
    }

    /// The same for a request that came as a message with these fields, and is counted.
    pub(crate) fn short_message(&self, ticket: &Ticket, fields: &HeaderMap) -> Option<Response<Body>> {
        let condition = |name: &HeaderName| match fields.contains_key(name) {
            true => one(fields, name).map(Some),
            false => Some(None),
        };
        let (tag, date) = (condition(&header::IF_NONE_MATCH)?, condition(&header::IF_MODIFIED_SINCE)?);
        let accept = condition(&header::ACCEPT)?;
        let plain = Plain {
            target: ticket.target.as_str(),
            host: ticket.host.as_bytes(),
            if_none_match: tag.as_ref().map(HeaderValue::as_bytes),
            if_modified_since: date.as_ref().map(HeaderValue::as_bytes),
            accept: accept.as_ref().map(HeaderValue::as_bytes),
            ..Plain::default()
        };
        self.sure(&plain, |prepared, unchanged, stored, body, now| {
            let body = if unchanged { Body::Empty } else { Body::whole(body.clone()) };
            let mut response = prepared.message(unchanged, stored, now, body);
            response.extensions_mut().insert(Answer::OUTCOME);
            response
        })
    }

    /// What `answer` makes of the answer to `plain`, if it is prepared and still sure: of that, whether the client has it, the stored
    /// response, its body and the time. Counts it as a hit.
    fn sure<A>(
        &self,
        plain: &Plain<'_>,
        answer: impl FnOnce(&Prepared, bool, &StoredResponse, &Bytes, Timestamp) -> A,
    ) -> Option<A> {
        for place in self.prepared.places(plain.host, plain.target) {
            let known = place?.load();
            let Some(prepared) = known.as_deref().filter(|known| known.is_for(plain)) else { continue };
            let now = self.clock.now();
            let unchanged = prepared.unchanged(plain)?;
            if !prepared.sure().contains(&now) {
                return None;
            }
            let record = self.store.get_memory(prepared.key())?;
            let Content::Response { head: stored, body } = &record.content else { return None };
            if record.sequence != prepared.sequence() || self.store.stale_since(&record).is_some() {
                return None;
            }
            let made = match prepared.made() {
                Some(made) => Some(self.store.get_memory(made.key.as_bytes())?),
                None => None,
            };
            let body = match (prepared.made(), made.as_deref()) {
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

    /// Prepares the answer to the request of `ticket`, which the long way answered with `stored`, or with what was `made` of it, if that is
    /// certain for a while.
    pub(crate) fn prepare(
        &self,
        ticket: Ticket,
        asked: &Asked,
        found: &Found,
        stored: &Stored,
        made: Option<(Made, &Derived<'_>)>,
    ) {
        let route = &asked.route;
        if self.prepared.places.is_empty()
            // What the key is made of may change, or a hit has more to do.
            || route.no_vary_search
            || route.refresh.watched > 0
            || self.config.tell_key
            || found.key != asked.primary
            || !matches!(found.stored, Some((_, Tier::Memory)))
            || self.store.stale_since(stored.record()).is_some()
        {
            return;
        }
        let (head, body) = (stored.head(), stored.body());
        let Some(mut sure) = short::certain(&asked.plan, head, route.refresh.early) else { return };
        // It is admitted by nothing but its target, and only so long.
        let Some(until) = asked.leave.lasts() else { return };
        sure.end = sure.end.min(until);
        let now = self.clock.now();
        let compose = |fields: HeaderMap| {
            let mut response = self.compose_hit(fields, &asked.request.uri, head, body, now);
            tell_audience(route.audience, asked.leave.asker(), &mut response);
            response
        };
        let answer = |fields: HeaderMap| match &made {
            Some((_, derived)) => self.compose_derived(fields, compose(HeaderMap::new()), derived),
            None => compose(fields),
        };
        if made.is_some() {
            // Dates are looked at with this moment in mind.
            sure.start = sure.start.max(now);
        }
        let saved = route.lifetimes.engine.then_some(head.cost);
        let about = prepared::About {
            host: ticket.host,
            target: ticket.target,
            key: found.key.clone(),
            sequence: stored.record().sequence,
            sure,
            saved,
        };
        let body = made.as_ref().map_or(body, |(_, derived)| derived.body);
        if let Some(prepared) = Prepared::new(about, body, answer) {
            let prepared = match &made {
                Some((made, _)) => prepared.of_made(made.clone()),
                None => prepared,
            };
            self.prepared.keep(prepared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_and_what_makes_a_power_of_two() {
        for (asked, places) in [(0, 0), (1, WAYS), (4096, 4096), (5000, 8192)] {
            assert_eq!(Prepareds::new(asked).places.len(), places, "{asked}");
        }
    }
}
