//! Answers with a rendition: the picture is looked up or fetched as for any request, and the
//! rendition is made of it.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::Proxy;
use super::refusal::Refusal;
use super::request::reading::{Reading, unconditional};
use super::respond::rendition::{Wanted, vary_by_accept};
use super::respond::tell_audience;
use super::route::Route;
use crate::capture::rendition::Derivative;
use crate::message::body::Body;
use crate::message::outcome::{CacheOutcome, StaleReason};

impl Proxy {
    pub(super) async fn answer_rendition(
        &self,
        route: Arc<Route>,
        client: Parts,
        mut reading: Reading,
        derivative: Derivative,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        let plain = reading.plain.take();
        // The conditions and the range of the client are about the rendition.
        let mut head = client.clone();
        head.method = Method::GET;
        unconditional(&mut head.headers);
        let picture = self.cache.request(route, head, peer, reading);
        let wanted = Wanted { client: &client, derivative: &derivative, picture: &picture };
        let found = self.cache.find(&picture).await;
        // A stored rendition may outlive its picture.
        let alone = self.renditions.stored_alone(&wanted, &found).await;
        let from_store = |stored: &_, outcome| {
            let mut response = self.responder.stored_rendition(&wanted, stored, outcome);
            tell_audience(picture.route.audience, picture.leave.asker(), &mut response);
            response
        };
        let mut response = match &alone {
            Some((stored, tier)) if self.renditions.is_fresh(&wanted, stored) => {
                from_store(stored, CacheOutcome::Hit(*tier))
            }
            _ => match self.answer_found(&picture, &found, None, false).await {
                Ok(response) if response.status() == StatusCode::OK => {
                    let rendered = self.renditions.render(&self.responder, &wanted, &found, response).await?;
                    if let (Some(plain), Some((found, rendition))) = (plain, &rendered.in_memory) {
                        self.fast_path.prepare(&self.responder, plain, &picture, found, Some(rendition));
                    }
                    rendered.response
                }
                // The stored rendition covers that no picture came.
                failed => match &alone {
                    Some((stored, _)) if self.renditions.covers(stored, &failed) => {
                        from_store(stored, CacheOutcome::Stale(StaleReason::IfError))
                    }
                    _ => failed?,
                },
            },
        };
        let is_rendition = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
        if derivative.negotiates() && is_rendition {
            vary_by_accept(&mut response);
        }
        Ok(response)
    }
}
