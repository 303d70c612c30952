//! The answer as the client gets it: from the store or from the origin, with what the cache did.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body::Body as _;

use super::lookup::{Stored, Tier};
use super::refusal::Refusal;
use super::{Asked, Proxy, part};
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::cache_status::CacheStatus;
use crate::policy::audience::{Asker, Audience, Kept};
use crate::policy::stored::StoredResponse;
use crate::policy::{freshness, precondition};
use crate::telemetry::counters::Count;
use crate::telemetry::served::Served;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(super) const X_CACHE_AGE: HeaderName = HeaderName::from_static("x-cache-age");

/// What `X-Cache` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// From the store, fresh.
    Hit,
    /// From the origin.
    Miss,
    /// From the store, stale.
    Stale,
    /// From the store, confirmed by the origin just now.
    Revalidated,
    /// Not for the cache.
    Bypass,
    /// An answer of tintype's own.
    Error,
}

impl Verdict {
    /// The word in `X-Cache`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Hit => "HIT",
            Verdict::Miss => "MISS",
            Verdict::Stale => "STALE",
            Verdict::Revalidated => "REVALIDATED",
            Verdict::Bypass => "BYPASS",
            Verdict::Error => "ERROR",
        }
    }
}

impl Verdict {
    /// The same as the metrics have it, with the detail that `Cache-Status` has.
    pub fn served(self, detail: Option<&str>) -> Served {
        match (self, detail) {
            (Verdict::Hit, Some("disk")) => Served::HitDisk,
            (Verdict::Hit, _) => Served::HitMemory,
            (Verdict::Miss, _) => Served::Miss,
            (Verdict::Stale, Some("max-stale")) => Served::StaleAllowed,
            (Verdict::Stale, Some("stale-while-revalidate")) => Served::StaleWhileRevalidate,
            (Verdict::Stale, _) => Served::StaleIfError,
            (Verdict::Revalidated, _) => Served::Revalidated,
            (Verdict::Bypass, _) => Served::Bypass,
            (Verdict::Error, _) => Served::Error,
        }
    }
}

/// What the access log says of an exchange, carried on its response.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// As in `X-Cache`.
    pub verdict: Verdict,
    /// As in `Cache-Status`.
    pub detail: Option<&'static str>,
    /// What was decided of its lifetime.
    pub kept: Option<Kept>,
}

/// A `CacheStatus` with the verdict that it goes with.
#[derive(Clone, Debug)]
pub struct Told {
    /// For `X-Cache`.
    pub verdict: Verdict,
    /// For `Cache-Status`.
    pub status: CacheStatus,
    kept: Option<Kept>,
}

impl Told {
    /// `verdict` and why.
    pub fn new(verdict: Verdict, status: CacheStatus) -> Self {
        Told { verdict, status, kept: None }
    }

    /// The same as the metrics have it.
    pub fn served(&self) -> Served {
        self.verdict.served(self.status.detail)
    }
}

impl Proxy {
    /// Answers `request` with a stored head and its body: 304 where the client has it, without body for HEAD.
    pub(super) fn answer_stored(
        &self,
        request: &Parts,
        head: &StoredResponse,
        body: Body,
        told: Told,
        now: Timestamp,
    ) -> Response<Body> {
        let length = body.size_hint().exact().unwrap_or_default();
        let response = self.compose_stored(request, head, body, told, now);
        if response.status() == StatusCode::NOT_MODIFIED && head.status != StatusCode::NOT_MODIFIED {
            self.counters.add(Count::NotModified);
            if request.method != Method::HEAD {
                self.counters.tally().saved_bytes(length);
            }
        }
        response
    }

    /// What a hit in memory answers to a GET with these fields, leaving no trace.
    pub(super) fn compose_hit(
        &self,
        fields: HeaderMap,
        target: &Uri,
        head: &StoredResponse,
        body: &Bytes,
        now: Timestamp,
    ) -> Response<Body> {
        let (mut request, ()) = http::Request::new(()).into_parts();
        (request.uri, request.headers) = (target.clone(), fields);
        let status = CacheStatus { hit: true, detail: Some(Tier::Memory.name()), ..CacheStatus::default() };
        self.compose_stored(&request, head, Body::whole(body.clone()), Told::new(Verdict::Hit, status), now)
    }

    fn compose_stored(
        &self,
        request: &Parts,
        head: &StoredResponse,
        body: Body,
        mut told: Told,
        now: Timestamp,
    ) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        let fields = response.headers_mut();
        fields.clone_from(&head.fields);
        let age = head.current_age(now).as_secs();
        // On a miss the origin's own Age, if any, is what the client is told (RFC 9111 section 5.1: a stored response was used).
        if told.verdict != Verdict::Miss || age > 0 {
            fields.insert(header::AGE, HeaderValue::from(age));
        }
        told.status.ttl = Some(ttl(head, now));
        told.kept = Some(Kept { made: head.response_time - head.initial_age, lifetime: head.lifetime });
        if let Some(ruling) = head.ruling.as_deref() {
            fields.insert(header::CACHE_CONTROL, ruling.cache_control.clone());
            fields.remove(header::EXPIRES);
            fields.remove(header::PRAGMA);
            told.status.ruling.clone_from(&ruling.told);
        }
        self.tell(fields, &told, age);
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
            part::cut(request, &mut response);
        }
        finish(response, &told)
    }

    /// Counts an answer from the store, and what it saved.
    pub(super) fn count_stored(&self, asked: &Asked, stored: &Stored, told: &Told) {
        stored.record().seen.hit();
        self.counters.add(match told.served() {
            Served::HitMemory => Count::HitsMemory,
            Served::HitDisk => Count::HitsDisk,
            Served::StaleIfError => Count::StaleOnError,
            _ => Count::StaleServed,
        });
        match stored.head() {
            Some(head) if asked.route.lifetimes.engine => self.counters.tally().saved_capture(head.cost),
            _ => self.counters.tally().saved_call(),
        }
    }

    /// Passes an origin's answer on as it came.
    pub(super) fn answer_passed(&self, mut response: Response<Body>, told: Told) -> Response<Body> {
        let fields = response.headers_mut();
        let age = freshness::age_value(fields).as_secs();
        self.tell(fields, &told, age);
        finish(response, &told)
    }

    /// An answer of our own.
    pub(super) fn refuse(&self, refusal: &Refusal, mut status: CacheStatus) -> Response<Body> {
        self.counters.add(Count::Errors);
        self.counters.tally().error(refusal.name());
        let mut response = refusal.to_response();
        status.detail = Some(refusal.name());
        let told = Told::new(Verdict::Error, status);
        self.tell(response.headers_mut(), &told, 0);
        finish(response, &told)
    }

    fn tell(&self, fields: &mut HeaderMap, told: &Told, age: u64) {
        for name in &self.config.hidden_tags {
            fields.remove(name);
        }
        fields.insert(X_CACHE_AGE, HeaderValue::from(age));
        fields.insert(X_CACHE, HeaderValue::from_static(told.verdict.name()));
        told.status.append_to(fields, &self.config.pseudonym);
        fields.append(header::VIA, self.via.clone());
    }
}

/// Tells caches between us and the reader what they need to know of `response`.
pub(super) fn tell_audience(audience: Audience, asker: Asker, response: &mut Response<Body>) {
    let outcome = response.extensions().get::<Outcome>().copied();
    audience.tell(asker, outcome.and_then(|outcome| outcome.kept), response.headers_mut());
}

/// Tells clients not to store what no cache may have by rule.
pub(super) fn forbid_storing(fields: &mut HeaderMap) {
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.remove(header::EXPIRES);
    fields.remove(header::PRAGMA);
}

fn finish(mut response: Response<Body>, told: &Told) -> Response<Body> {
    response.extensions_mut().insert(Outcome {
        verdict: told.verdict,
        detail: told.status.detail,
        kept: told.kept,
    });
    response
}

/// Remaining freshness in seconds, negative when stale (RFC 9211 section 2.4).
fn ttl(head: &StoredResponse, now: Timestamp) -> i64 {
    let (lifetime, age) = (head.lifetime.as_secs(), head.current_age(now).as_secs());
    i64::try_from(lifetime).unwrap_or(i64::MAX).saturating_sub(i64::try_from(age).unwrap_or(i64::MAX))
}
