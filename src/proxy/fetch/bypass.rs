//! Requests that the cache passes on: unsafe methods, ranges, requests with a body; and what unsafe ones invalidate.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use url::Url;

use crate::clock::Stopwatch;
use crate::message::body::{Body, BodyError};
use crate::message::cache_status::{CacheStatus, Forward, Forwarded};
use crate::message::outcome::CacheOutcome;
use crate::policy::{admission, invalidation, reuse, validation};
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::Found;
use crate::proxy::fetch::flight::Cause;
use crate::proxy::reading::Reading;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::forward;
use crate::proxy::respond::forbid_storing;
use crate::proxy::route::Route;
use crate::telemetry::counters::Count;

impl Proxy {
    /// Passes `request` on as it is and its answer back as it comes; only that to a POST may be stored, if it says so itself.
    pub(crate) async fn pass(
        self: &Arc<Self>,
        route: Arc<Route>,
        request: Parts,
        body: Body,
        peer: IpAddr,
        why: Forward,
    ) -> Result<Response<Body>, Refusal> {
        let sent = self.clock.now();
        let post = (request.method == Method::POST).then(|| self.begin_post(&route, &request, peer));
        let answered = self.send_on(&route, request.clone(), body, peer).await;
        // Whatever others invalidated or purged meanwhile; its own invalidation comes after.
        let overtaken = post.is_some_and(|flight| self.store.is_purged(&flight.handles, flight.sequence));
        let told = answered.as_ref().ok().map(|response| (response.status(), response.headers().clone()));
        if let Some((status, fields)) = told
            && invalidation::seen_by(&request.method, status)
        {
            self.invalidate(&request.method, &request.uri, status, fields).await;
        }
        let target = Url::parse(&request.uri.to_string());
        if let (Ok(response), Ok(target), false) = (&answered, &target, overtaken)
            && admission::answers_get(
                &request.method,
                target,
                response.status(),
                response.headers(),
                &route.terms,
            )
        {
            let reading = Reading::of_target(&route, &request.uri);
            let asked = self.asked(route, request, peer, reading);
            let response = answered?;
            return Ok(self.take_in_post(asked, response, sent).await);
        }
        self.passed(answered, Forwarded::because(why))
    }

    /// Passes a HEAD or a range on. What is stored covers an origin error (RFC 5861 section 4).
    pub(crate) async fn pass_covered(
        self: &Arc<Self>,
        asked: Asked,
        found: &Found,
        body: Body,
        why: Forward,
    ) -> Result<Response<Body>, Refusal> {
        let forwarded = Forwarded::because(why);
        let (sent, sequence) = (self.clock.now(), self.store.next_sequence());
        let mut answered = self.send_on(&asked.route, asked.request.clone(), body, asked.peer).await;
        if let (Ok(response), Some((stored, _))) = (&mut answered, &found.stored)
            && asked.request.method == Method::HEAD
            && response.status() == StatusCode::OK
        {
            let said = response.headers().clone();
            if let Some(updated) = self.heed_head(&asked, stored, &said, sequence, sent).await {
                validation::complete(response.headers_mut(), updated.head());
            }
        }
        if let (Ok(response), Some(_)) = (&mut answered, asked.plan.refused) {
            forbid_storing(response.headers_mut());
        }
        let cause = match &answered {
            Ok(response) if reuse::is_error(response.status()) => Cause::Status(response.status()),
            Err(Refusal::Origin(error)) => Cause::NoAnswer(error.clone()),
            _ => return self.passed(answered, forwarded),
        };
        if let Some((stored, _)) = &found.stored {
            let (now, answered) = (self.clock.now(), cause.is_answer());
            self.marks.set_failed(&found.key, answered, now);
            if self.covers_error(stored, answered, now) {
                return Ok(self.covering(&asked, stored, &cause, forwarded));
            }
        }
        self.passed(answered, forwarded)
    }

    fn passed(
        &self,
        answered: Result<Response<Body>, Refusal>,
        forwarded: Forwarded,
    ) -> Result<Response<Body>, Refusal> {
        self.counters.add(Count::Bypassed);
        match answered {
            Ok(response) => {
                let status = CacheStatus::new(CacheOutcome::Bypass(None), forwarded);
                Ok(self.answer_passed(response, status))
            }
            Err(refusal @ Refusal::Origin(_)) => Ok(self.refuse(&refusal, forwarded)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Sends `request` as it is, within the bounds of its body.
    async fn send_on(
        self: &Arc<Self>,
        route: &Route,
        mut request: Parts,
        body: Body,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        let limit = self.config.max_request_body;
        let too_large = Refusal::BodyTooLarge { limit };
        if body.size_hint().lower() > limit {
            return Err(too_large);
        }
        forward::prepare(&mut request, peer, &self.config.pseudonym);
        let (body, fault) = body.limited(limit);
        self.counters.add(Count::OriginRequests);
        let took = Stopwatch::start();
        let fetched = route.origin.fetch(Request::from_parts(request, body)).await;
        self.counters.tally().fetched(&route.name, took.elapsed());
        match fetched {
            Ok(mut response) => {
                forward::cleanse(&mut response, self.clock.now());
                Ok(response)
            }
            // Not the origin's fault.
            Err(_) if let Some(fault) = fault.get() => Err(match fault {
                BodyError::TooLarge { .. } => too_large,
                fault => Refusal::BodyBroken(fault.to_string()),
            }),
            Err(error) => {
                self.counters.add(Count::OriginErrors);
                self.counters.tally().origin_error(error.name());
                tracing::warn!(route = %route.name, %error, "origin failed");
                Err(Refusal::Origin(error))
            }
        }
    }
}

/// Why a GET or HEAD is not for the cache, if it is not.
pub(crate) fn why_pass(request: &Parts, body: &Body) -> Option<Forward> {
    if !crate::proxy::cache::write::is_cacheable(&request.method) {
        return Some(Forward::Method);
    }
    // Content in a GET is not part of the key, and an origin might read it.
    if !body.is_end_stream() {
        return Some(Forward::Bypass);
    }
    // Without a stored whole, a part is asked for as a part.
    request.headers.contains_key(header::RANGE).then_some(Forward::Bypass)
}

/// Whether `request` is passed for nothing but its `Range`: a stored whole may then answer it (RFC 9110 section 14.2).
pub(crate) fn is_plain_range(request: &Parts, body: &Body) -> bool {
    crate::proxy::cache::write::is_cacheable(&request.method)
        && body.is_end_stream()
        && request.headers.contains_key(header::RANGE)
}
