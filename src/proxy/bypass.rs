//! Answers a request that bypasses the cache: it is sent to the origin as it is.

use std::net::IpAddr;
use std::sync::Arc;

use http::Response;
use http::request::Parts;

use super::Proxy;
use super::fetch::bypass::Bypassed;
use super::refusal::Refusal;
use super::request::reading::Reading;
use super::respond::tell_audience;
use super::route::Route;
use crate::message::body::Body;
use crate::message::cache_status::{Forward, Forwarded};
use crate::policy::audience::Asker;

impl Proxy {
    pub(super) async fn answer_bypassing(
        &self,
        route: Arc<Route>,
        head: Parts,
        reading: Reading,
        body: Body,
        peer: IpAddr,
        why: Forward,
    ) -> Result<Response<Body>, Refusal> {
        reading.leave.may_ask(self.clock.now())?;
        let (audience, asker) = (route.audience, reading.leave.asker());
        let mut response = match self.fetcher.bypass(&self.routes, route, head, body, peer).await? {
            Bypassed::Passed(answered) => self.responder.bypassed(answered, Forwarded::because(why)),
            Bypassed::Cacheable(request, fetched) => self.responder.fetched(&request, fetched, why),
        };
        if asker == Asker::Holder {
            tell_audience(audience, asker, &mut response);
        }
        Ok(response)
    }
}
