//! One request to an origin, with the times around it.

use http::{Request, Response};

use super::Fetcher;
use crate::clock::{Stopwatch, Timestamp};
use crate::message::body::Body;
use crate::origin::OriginError;
use crate::proxy::request::forward;
use crate::proxy::route::Route;
use crate::telemetry::counters::Count;

/// An origin's response with the times around it.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) sent: Timestamp,
    pub(super) received: Timestamp,
    pub(super) took: Stopwatch,
}

impl Fetcher {
    /// Sends `request` to the origin of `route`.
    pub(super) async fn send(&self, route: &Route, request: Request<Body>) -> Result<Answer, OriginError> {
        let (sent, took) = (self.clock.now(), Stopwatch::start());
        self.counters.add(Count::OriginRequests);
        let fetched = route.origin.fetch(request).await;
        self.counters.tally().fetched(&route.name, took.elapsed());
        let mut response = fetched?;
        let received = self.clock.now();
        forward::cleanse(&mut response, received);
        Ok(Answer { response, sent, received, took })
    }
}
