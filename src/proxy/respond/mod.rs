//! Responses to clients.
//!
//! [`Responder`] makes a response of a stored response, of what a fetch brought ([`fetched`]), or
//! of a refusal, and says in it what the cache did. Ranges are cut by [`byteranges`], other sizes
//! and formats made by [`rendition`].

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body::Body as _;

use super::refusal::Refusal;
use crate::clock::{Clock, Timestamp};
use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forwarded};
use crate::message::outcome::{CacheOutcome, CacheResult, Tier};
use crate::policy::audience::{Asker, Audience, Kept};
use crate::policy::stored::StoredResponse;
use crate::policy::{freshness, precondition};
use crate::proxy::cache::stored::Stored;
use crate::proxy::config::Config;
use crate::proxy::request::CacheRequest;
use crate::telemetry::counters::{Count, Counters};

mod byteranges;
pub(in crate::proxy) mod dialect;
mod fetched;
pub(crate) mod rendition;
#[cfg(test)]
mod tests;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(crate) const X_CACHE_AGE: HeaderName = HeaderName::from_static("x-cache-age");

/// See the [module](self).
pub(crate) struct Responder {
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    /// The name of this proxy in `Cache-Status`.
    pseudonym: String,
    /// The value of `Via`.
    via: HeaderValue,
    /// Fields that clients do not get.
    hidden: Vec<HeaderName>,
}

impl Responder {
    pub(crate) fn new(config: &Config, (clock, counters): (Arc<dyn Clock>, Arc<Counters>)) -> Self {
        Responder {
            clock,
            counters,
            pseudonym: config.pseudonym.clone(),
            via: HeaderValue::try_from(format!("1.1 {}", config.pseudonym))
                .unwrap_or_else(|_| HeaderValue::from_static("1.1 tintype")),
            hidden: config.hidden_tags.clone(),
        }
    }

    /// The response to `request` from a stored response.
    pub(crate) fn stored(&self, request: &Parts, stored: &Stored, status: CacheStatus) -> Response<Body> {
        self.respond(request, stored.head(), Body::whole(stored.body().clone()), status)
    }

    /// The response to `request` from a stored head and its body: 304 if the client has it, no body
    /// for HEAD, a part for `Range`.
    fn respond(
        &self,
        request: &Parts,
        head: &StoredResponse,
        body: Body,
        status: CacheStatus,
    ) -> Response<Body> {
        let length = body.size_hint().exact().unwrap_or_default();
        let response = self.compose(request, head, body, status, self.clock.now());
        if response.status() == StatusCode::NOT_MODIFIED && head.status != StatusCode::NOT_MODIFIED {
            self.count_not_modified(&request.method, length);
        }
        response
    }

    /// Counts a 304 that spared so many bytes.
    fn count_not_modified(&self, method: &Method, length: u64) {
        self.counters.add(Count::NotModified);
        if method != Method::HEAD {
            self.counters.tally().saved_bytes(length);
        }
    }

    /// The response that a hit in memory gives to a GET with these fields. Counts nothing.
    pub(crate) fn compose_hit(
        &self,
        fields: HeaderMap,
        target: &Uri,
        head: &StoredResponse,
        body: &Bytes,
        now: Timestamp,
    ) -> Response<Body> {
        let (mut request, ()) = http::Request::new(()).into_parts();
        (request.uri, request.headers) = (target.clone(), fields);
        let status = CacheStatus::without_forward(CacheOutcome::Hit(Tier::Memory));
        self.compose(&request, head, Body::whole(body.clone()), status, now)
    }

    fn compose(
        &self,
        request: &Parts,
        head: &StoredResponse,
        body: Body,
        mut status: CacheStatus,
        now: Timestamp,
    ) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        let fields = response.headers_mut();
        fields.clone_from(&head.fields);
        let age = head.current_age(now).as_secs();
        // On a miss, `Age` is there only if the origin sent one: it says that a stored response was
        // used (RFC 9111 section 5.1).
        if !matches!(status.outcome, CacheOutcome::Miss(_)) || age > 0 {
            fields.insert(header::AGE, HeaderValue::from(age));
        }
        status.ttl = Some(ttl(head, now));
        if let Some(ruling) = head.ruling.as_deref() {
            fields.insert(header::CACHE_CONTROL, ruling.cache_control.clone());
            fields.remove(header::EXPIRES);
            fields.remove(header::PRAGMA);
            status.ruling.clone_from(&ruling.told);
        }
        self.tell(fields, &status, age);
        let (method, sent) = (&request.method, &request.headers);
        if precondition::not_modified(method, sent, head.status, fields, head.response_time) {
            precondition::keep_304_fields(fields);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::Empty;
        } else if request.method == Method::HEAD {
            *response.body_mut() = Body::Empty;
        } else if request.headers.contains_key(header::RANGE) {
            byteranges::cut(request, &mut response);
        }
        let kept = Kept { made: head.response_time - head.initial_age, lifetime: head.lifetime };
        response.extensions_mut().insert(kept);
        finish(response, status.outcome)
    }

    /// Counts a response from the store, and what it saved.
    pub(crate) fn count_stored(&self, request: &CacheRequest, stored: &Stored, outcome: CacheOutcome) {
        stored.record().seen.hit();
        self.counters.add(match outcome.result() {
            CacheResult::HitMemory => Count::HitsMemory,
            CacheResult::HitDisk => Count::HitsDisk,
            CacheResult::StaleIfError => Count::StaleOnError,
            _ => Count::StaleServed,
        });
        match request.route.lifetimes.engine {
            true => self.counters.tally().saved_capture(stored.head().cost),
            false => self.counters.tally().saved_call(),
        }
    }

    /// Passes on a response of the origin that is not stored.
    fn passed(&self, mut response: Response<Body>, status: CacheStatus) -> Response<Body> {
        let fields = response.headers_mut();
        let age = freshness::age_value(fields).as_secs();
        self.tell(fields, &status, age);
        finish(response, status.outcome)
    }

    /// The error response of a refusal.
    pub(crate) fn refuse(&self, refusal: &Refusal, forwarded: Forwarded) -> Response<Body> {
        self.counters.add(Count::Errors);
        self.counters.tally().error(refusal.name());
        let mut response = refusal.to_response();
        let status = CacheStatus::new(CacheOutcome::Error(refusal.reason()), forwarded);
        self.tell(response.headers_mut(), &status, 0);
        finish(response, status.outcome)
    }

    /// Adds the fields that say what the cache did.
    fn tell(&self, fields: &mut HeaderMap, status: &CacheStatus, age: u64) {
        for name in &self.hidden {
            fields.remove(name);
        }
        fields.insert(X_CACHE_AGE, HeaderValue::from(age));
        fields.insert(X_CACHE, HeaderValue::from_static(status.outcome.x_cache()));
        status.append_to(fields, &self.pseudonym);
        fields.append(header::VIA, self.via.clone());
    }
}

/// Adds the fields that tell browsers and CDNs how long to keep the response.
pub(crate) fn tell_audience(audience: Audience, asker: Asker, response: &mut Response<Body>) {
    let kept = response.extensions().get::<Kept>().copied();
    audience.tell(asker, kept, response.headers_mut());
}

/// Tells clients not to store a response that no cache may have by rule.
fn forbid_storing(fields: &mut HeaderMap) {
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.remove(header::EXPIRES);
    fields.remove(header::PRAGMA);
}

fn finish(mut response: Response<Body>, outcome: CacheOutcome) -> Response<Body> {
    response.extensions_mut().insert(outcome);
    response
}

/// Remaining freshness in seconds, negative when stale (RFC 9211 section 2.4).
fn ttl(head: &StoredResponse, now: Timestamp) -> i64 {
    let (lifetime, age) = (head.lifetime.as_secs(), head.current_age(now).as_secs());
    i64::try_from(lifetime).unwrap_or(i64::MAX).saturating_sub(i64::try_from(age).unwrap_or(i64::MAX))
}
