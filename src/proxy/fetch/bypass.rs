//! Requests that bypass the cache: unsafe methods, ranges, requests with content. Unsafe methods
//! invalidate stored responses, a HEAD updates one, and the response to a POST may be stored for
//! later GETs.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use url::Url;

use super::Fetcher;
use super::flight::Flight;
use super::origin::Answer;
use super::outcome::{Cause, Delivery, Fetched};
use crate::message::body::{Body, BodyError};
use crate::origin::OriginError;
use crate::policy::{admission, invalidation, reuse, validation};
use crate::proxy::cache::stored::Found;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::reading::Reading;
use crate::proxy::request::{CacheRequest, forward};
use crate::proxy::route::{Route, Routes};
use crate::telemetry::counters::Count;

/// The origin's response to a request that bypassed the cache.
pub(crate) enum Bypassed {
    Passed(Result<Response<Body>, OriginError>),
    /// The response to a POST that is stored for later GETs (RFC 9110 section 9.3.3).
    Cacheable(Box<CacheRequest>, Fetched),
}

impl Fetcher {
    /// Sends `head` and `body` on as they are. Invalidates what an unsafe method made invalid,
    /// among all `routes`.
    pub(crate) async fn bypass(
        self: &Arc<Self>,
        routes: &Routes,
        route: Arc<Route>,
        head: Parts,
        body: Body,
        peer: IpAddr,
    ) -> Result<Bypassed, Refusal> {
        let post = (head.method == Method::POST).then(|| self.begin_post(&route, &head, peer));
        let answered = self.send_on(&route, head.clone(), body, peer).await?;
        // Purges and invalidations that came meanwhile concern the response, but not its own
        // invalidation.
        let outdated =
            post.is_some_and(|flight| self.cache.store().is_purged(&flight.handles, flight.sequence));
        let answer = match answered {
            Ok(answer) => answer,
            Err(error) => return Ok(Bypassed::Passed(Err(error))),
        };
        let (status, fields) = (answer.response.status(), answer.response.headers());
        if invalidation::seen_by(&head.method, status) {
            let is_fetched = |handle: &_| self.flights.any(|flight| flight.handles.contains(handle));
            let told = (status, fields.clone());
            self.cache.invalidate(routes, &head.method, &head.uri, told, is_fetched).await;
        }
        if let Ok(target) = Url::parse(&head.uri.to_string())
            && !outdated
            && admission::answers_get(&head.method, &target, status, fields, &route.terms)
        {
            let reading = Reading::of_target(&route, &head.uri);
            let request = self.cache.request(route, head, peer, reading);
            let fetched = self.take_in_post(&request, answer).await;
            return Ok(Bypassed::Cacheable(Box::new(request), fetched));
        }
        Ok(Bypassed::Passed(Ok(answer.response)))
    }

    /// Sends a HEAD or a range on as it is. The stored response covers an origin error (RFC 5861
    /// section 4).
    pub(crate) async fn bypass_covered(
        &self,
        request: &CacheRequest,
        found: &Found,
        body: Body,
    ) -> Result<Fetched, Refusal> {
        let sequence = self.cache.store().next_sequence();
        let mut answered = self.send_on(&request.route, request.head.clone(), body, request.peer).await?;
        if let (Ok(answer), Some((stored, _))) = (&mut answered, &found.stored)
            && request.head.method == Method::HEAD
            && answer.response.status() == StatusCode::OK
        {
            let fields = answer.response.headers_mut();
            let updated = self.cache.update_from_head(request, stored, fields, sequence, answer.sent).await;
            if let Some(updated) = updated {
                validation::complete(fields, updated.head());
            }
        }
        let cause = match &answered {
            Ok(answer) if reuse::is_error(answer.response.status()) => {
                Some(Cause::Status(answer.response.status()))
            }
            Ok(_) => None,
            Err(error) => Some(Cause::NoAnswer(error.clone())),
        };
        if let (Some(cause), Some((stored, _))) = (cause, &found.stored) {
            let (now, answered) = (self.clock.now(), cause.is_answer());
            self.cache.negative.set_failed(&found.key, answered, now);
            if self.cache.covers_error(stored, answered, now) {
                return Ok(Fetched::shared(Delivery::Covered(stored.clone(), cause), false));
            }
        }
        let response = answered.map(|answer| answer.response);
        Ok(Fetched::shared(Delivery::Bypassed(response), false))
    }

    /// A flight for a POST that is about to be sent, so that invalidations that come before its
    /// response are known to concern it.
    fn begin_post(&self, route: &Route, head: &Parts, peer: IpAddr) -> Arc<Flight> {
        let handles = self.cache.handles(route, &head.uri);
        let flight = Flight::new(head.clone(), peer, self.cache.store().next_sequence(), handles);
        self.flights.watch(&flight);
        flight
    }

    /// Stores the response to a POST for later GETs.
    async fn take_in_post(self: &Arc<Self>, request: &CacheRequest, answer: Answer) -> Fetched {
        // After what the POST invalidated.
        let sequence = self.cache.store().next_sequence();
        let flight = Flight::new(request.head.clone(), request.peer, sequence, request.handles());
        let found = Found::nothing(&request.primary);
        self.lead_with(request, &found, flight, Some(answer)).await
    }

    /// Sends a request as it is, within the bounds of its body. The outer error is the client's
    /// fault, the inner one the origin's.
    async fn send_on(
        &self,
        route: &Route,
        mut head: Parts,
        body: Body,
        peer: IpAddr,
    ) -> Result<Result<Answer, OriginError>, Refusal> {
        let limit = self.config.max_request_body;
        let refused = |refusal| {
            self.counters.add(Count::Bypassed);
            Err(refusal)
        };
        if body.size_hint().lower() > limit {
            return refused(Refusal::BodyTooLarge { limit });
        }
        forward::prepare(&mut head, peer, &self.config.pseudonym);
        let (body, fault) = body.limited(limit);
        let sent = self.send(route, Request::from_parts(head, body)).await;
        match (&sent, fault.get()) {
            (Err(_), Some(BodyError::TooLarge { .. })) => refused(Refusal::BodyTooLarge { limit }),
            (Err(_), Some(fault)) => refused(Refusal::BodyBroken(fault.to_string())),
            (Err(error), None) => {
                self.counters.add(Count::OriginErrors);
                self.counters.tally().origin_error(error.name());
                tracing::warn!(route = %route.name, %error, "origin failed");
                Ok(sent)
            }
            (Ok(_), _) => Ok(sent),
        }
    }
}
