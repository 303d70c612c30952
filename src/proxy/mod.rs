//! The data plane: from a request to its response.
//!
//! [`Proxy::handle`] tells the whole story. Five objects do the work, each in a folder of its own:
//! `request` reads and admits requests, `cache` finds and stores responses, `fetch` asks
//! origins, `respond` makes responses, and [`fast_path`] answers repeated hits. They know their
//! neighbours only in this order, and none of them knows this file.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;

use crate::clock::Clock;
use crate::derive::Deriver;
use crate::message::body::Body;
use crate::message::cache_status::{self, CacheStatus, Forward, Forwarded};
use crate::message::outcome::CacheOutcome;
use crate::telemetry::counters::{Count, Counters};

mod assemble;
pub mod auth;
mod bypass;
mod cache;
mod config;
mod dialect;
pub mod explain;
pub mod fast_path;
mod fetch;
mod operate;
pub mod purge;
pub mod refusal;
mod rendition;
pub(crate) mod request;
mod respond;
pub mod route;
#[cfg(test)]
mod testing;

use auth::Keyring;
use cache::Cache;
use cache::decide::Decision;
use cache::stored::Found;
pub use config::{Config, Refresh, Route};
use fast_path::FastPath;
use fast_path::plain_request::PlainRequest;
use fetch::Fetcher;
use refusal::Refusal;
use request::reading::Reading;
use request::{CacheRequest, forward, parse, target};
use respond::rendition::Renditions;
use respond::{Responder, tell_audience};
use route::Routes;

/// The data plane, between the listener and the origins.
pub struct Proxy {
    config: Arc<Config>,
    routes: Routes,
    keys: Keyring,
    cache: Arc<Cache>,
    fetcher: Arc<Fetcher>,
    responder: Responder,
    renditions: Renditions,
    fast_path: FastPath,
    deriver: Arc<Deriver>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

impl Proxy {
    /// Answers one request. `peer` is the client's address, `secure` whether the request came over
    /// TLS.
    pub async fn handle(&self, request: Request<Body>, peer: IpAddr, secure: bool) -> Response<Body> {
        self.counters.add(Count::Requests);
        match self.answer(request, peer, secure).await {
            Ok(response) => response,
            Err(refusal) => self.responder.refuse(&refusal, Forwarded::default()),
        }
    }

    async fn answer(
        &self,
        request: Request<Body>,
        peer: IpAddr,
        secure: bool,
    ) -> Result<Response<Body>, Refusal> {
        let (mut request, body) = request.into_parts();
        // Answer from a prepared response. Content may come over HTTP/2 without a field that
        // announces it.
        let plain = PlainRequest::of(&request).filter(|_| body.is_end_stream());
        if let Some(plain) = &plain
            && let Some(response) = self.fast_path.respond(plain, &request.headers)
        {
            return Ok(response);
        }
        // Complete the target URI and find its route.
        target::complete(&mut request, secure, self.config.max_uri_bytes)?;
        let route = Arc::clone(self.routes.find(&request.uri).ok_or(Refusal::NoRoute)?);
        // Remove the fields that are not sent on.
        forward::check_expectation(&request.headers)?;
        forward::sanitize(&mut request.headers);
        // Authenticate before doing any work for the request.
        let admitted = self.keys.admit_and_count(&route, &mut request, &body, self.clock.now());
        // Read the request and answer it in the dialect of another service.
        if let Some(dialect) = route.asking.dialect() {
            let admitted = admitted.map(|leave| (leave, plain));
            return Ok(Box::pin(self.answer_in(dialect, route, request, body, peer, admitted)).await);
        }
        let leave = admitted?;
        // Read the capture that the request asks for.
        let (mut reading, body) =
            parse::read(&route, &mut request, body, self.config.max_request_body).await?;
        (reading.plain, reading.leave) = (plain, leave);
        self.answer_read(route, request, reading, body, peer).await
    }

    /// Answers a request that was read in the terms of its route.
    async fn answer_read(
        &self,
        route: Arc<route::Route>,
        head: Parts,
        mut reading: Reading,
        body: Body,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        // Check that the request may capture its page. A body that is still there was not read, and
        // may name another one.
        reading.wishes.ambiguous |= !body.is_end_stream() && reading.derivative.is_none();
        reading.leave.check_page(&reading.wishes)?;
        reading.leave.limit(&mut reading.wishes);
        // Make a rendition of the picture.
        if let Some(derivative) = reading.derivative.take() {
            return Box::pin(self.answer_rendition(route, head, reading, derivative, peer)).await;
        }
        // Bypass the cache. A plain range may still be answered from the store.
        let bypass = request::why_bypass(&head, &body).or(reading.job.then_some(Forward::Bypass));
        if let Some(why @ (Forward::Method | Forward::Bypass)) = bypass
            && (reading.job || !request::is_plain_range(&head, &body))
        {
            return Box::pin(self.answer_bypassing(route, head, reading, body, peer, why)).await;
        }
        // Look up the stored response.
        let plain = reading.plain.take();
        let request = self.cache.request(route, head, peer, reading);
        let found = self.cache.find(&request).await;
        // Answer from the store or fetch.
        self.answer_found(&request, &found, plain, bypass.is_some()).await
    }

    /// Answers with the stored response if it may be used, or asks the origin.
    async fn answer_found(
        &self,
        request: &CacheRequest,
        found: &Found,
        plain: Option<PlainRequest>,
        is_range: bool,
    ) -> Result<Response<Body>, Refusal> {
        let mut response = match self.cache.decide(request, found) {
            Decision::Serve { stored, outcome, revalidate } => {
                self.responder.count_stored(request, stored, outcome);
                let is_hit = matches!(outcome, CacheOutcome::Hit(_));
                let is_early = is_hit
                    && !request.leave.is_restricted()
                    && self.fetcher.count_hit(request, &found.key, stored);
                // Validate in the background what goes stale soon, or is stale.
                if revalidate || is_early {
                    let may_ask = request.leave.may_ask(self.clock.now()).is_ok();
                    if may_ask && self.fetcher.validate_behind(request, found).is_some() && is_early {
                        self.counters.add(Count::EarlyRefreshes);
                    }
                } else if let Some(plain) = plain.filter(|_| is_hit) {
                    self.fast_path.prepare(&self.responder, plain, request, found, None);
                }
                self.responder.stored(&request.head, stored, CacheStatus::without_forward(outcome))
            }
            Decision::Forward(_) if request.directives.only_if_cached => return Err(Refusal::OnlyIfCached),
            Decision::Forward(why) => {
                request.leave.may_ask(self.clock.now())?;
                // The origin is asked for a range only, unless a capture or a validation brings the
                // whole.
                let fetched = if is_range && !request.route.capture && found.stored.is_none() {
                    Box::pin(self.fetcher.bypass_covered(request, found, Body::Empty)).await?
                } else {
                    Box::pin(self.fetcher.fetch(request, found)).await?
                };
                self.responder.fetched(request, fetched, why)
            }
        };
        tell_audience(request.route.audience, request.leave.asker(), &mut response);
        if self.config.tell_key {
            cache_status::add_key(response.headers_mut(), found.key.as_bytes());
        }
        Ok(response)
    }
}
