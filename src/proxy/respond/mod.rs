//! The answer as the client gets it: from the store or from the origin, with what the cache did.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body::Body as _;

use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forwarded};
use crate::message::outcome::{CacheOutcome, CacheResult, Tier};
use crate::policy::audience::{Asker, Audience, Kept};
use crate::policy::stored::StoredResponse;
use crate::policy::{freshness, precondition};
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::refusal::Refusal;
use crate::telemetry::counters::Count;

pub(crate) mod byteranges;
pub(crate) mod rendition;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(crate) const X_CACHE_AGE: HeaderName = HeaderName::from_static("x-cache-age");

impl Proxy {
    /// Answers `request` with a stored head and its body: 304 where the client has it, without body for HEAD.
    pub(crate) fn answer_stored(
        &self,
        request: &Parts,
        head: &StoredResponse,
        body: Body,
        status: CacheStatus,
        now: Timestamp,
    ) -> Response<Body> {
        let length = body.size_hint().exact().unwrap_or_default();
        let response = self.compose_stored(request, head, body, status, now);
        if response.status() == StatusCode::NOT_MODIFIED && head.status != StatusCode::NOT_MODIFIED {
            self.counters.add(Count::NotModified);
            if request.method != Method::HEAD {
                self.counters.tally().saved_bytes(length);
            }
        }
        response
    }

    /// What a hit in memory answers to a GET with these fields, leaving no trace.
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
        self.compose_stored(&request, head, Body::whole(body.clone()), status, now)
    }

    fn compose_stored(
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
        // On a miss the origin's own Age, if any, is what the client is told (RFC 9111 section 5.1: a stored response was used).
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
        if precondition::not_modified(
            &request.method,
            &request.headers,
            head.status,
            fields,
            head.response_time,
        ) {
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

    /// Counts an answer from the store, and what it saved.
    pub(crate) fn count_stored(&self, asked: &Asked, stored: &Stored, outcome: CacheOutcome) {
        stored.record().seen.hit();
        self.counters.add(match outcome.result() {
            CacheResult::HitMemory => Count::HitsMemory,
            CacheResult::HitDisk => Count::HitsDisk,
            CacheResult::StaleIfError => Count::StaleOnError,
            _ => Count::StaleServed,
        });
        match asked.route.lifetimes.engine {
            true => self.counters.tally().saved_capture(stored.head().cost),
            false => self.counters.tally().saved_call(),
        }
    }

    /// Passes an origin's answer on as it came.
    pub(crate) fn answer_passed(&self, mut response: Response<Body>, status: CacheStatus) -> Response<Body> {
        let fields = response.headers_mut();
        let age = freshness::age_value(fields).as_secs();
        self.tell(fields, &status, age);
        finish(response, status.outcome)
    }

    /// An answer of our own.
    pub(crate) fn refuse(&self, refusal: &Refusal, forwarded: Forwarded) -> Response<Body> {
        self.counters.add(Count::Errors);
        self.counters.tally().error(refusal.name());
        let mut response = refusal.to_response();
        let status = CacheStatus::new(CacheOutcome::Error(refusal.reason()), forwarded);
        self.tell(response.headers_mut(), &status, 0);
        finish(response, status.outcome)
    }

    fn tell(&self, fields: &mut HeaderMap, status: &CacheStatus, age: u64) {
        for name in &self.config.hidden_tags {
            fields.remove(name);
        }
        fields.insert(X_CACHE_AGE, HeaderValue::from(age));
        fields.insert(X_CACHE, HeaderValue::from_static(status.outcome.x_cache()));
        status.append_to(fields, &self.config.pseudonym);
        fields.append(header::VIA, self.via.clone());
    }
}

/// Tells caches between us and the reader what they need to know of `response`.
pub(crate) fn tell_audience(audience: Audience, asker: Asker, response: &mut Response<Body>) {
    let kept = response.extensions().get::<Kept>().copied();
    audience.tell(asker, kept, response.headers_mut());
}

/// Tells clients not to store what no cache may have by rule.
pub(crate) fn forbid_storing(fields: &mut HeaderMap) {
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
