//! What the application asks of a running data plane, beside answering requests.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Weak};

use super::Proxy;
use super::request::parse;
use crate::message::body::Body;
use crate::message::class::Class;
use crate::message::plain::Plain;
use crate::policy::asking::Again;
use crate::proxy::fast_path::Answer;

impl Proxy {
    /// Answers `plain` on the fast path if a prepared response is valid: writes the head to `head`,
    /// and counts the request.
    pub fn short(&self, plain: &Plain<'_>, head: &mut Vec<u8>) -> Option<Answer> {
        self.fast_path.answer(plain, head)
    }

    /// How many fetches are not stored or given up yet.
    pub fn fetches_under_way(&self) -> usize {
        self.fetcher.under_way()
    }

    /// Prefetches nothing any more.
    pub fn stop_refreshing(&self) {
        self.fetcher.stop_prefetching();
    }

    /// Waits until no fetch is under way. Fetches outlive the requests that began them.
    pub async fn settled(&self) {
        self.fetcher.at_most(0).await;
    }

    /// Waits until no more than `ours` fetches are under way, so that those of clients go first.
    pub async fn yield_to_clients(&self, ours: usize) {
        self.fetcher.at_most(ours).await;
    }

    /// Waits until no client waits for a fetch.
    pub async fn yield_to_waiting(&self) {
        self.fetcher.none_awaited().await;
    }

    /// Alive as long as requests or fetches use the origins of this data plane.
    pub fn in_use(&self) -> Weak<dyn Any + Send + Sync> {
        let fetcher: Arc<dyn Any + Send + Sync> = Arc::clone(&self.fetcher) as _;
        Arc::downgrade(&fetcher)
    }

    /// Fetches again what `again` asks for, unless a fresh response is stored, and waits until it
    /// is stored or is not. Returns whether the stored response is then fresh.
    pub async fn refresh(&self, again: &Again) -> bool {
        let Some(mut request) = again.to_request() else { return false };
        request.extensions.insert(Class::Refresh);
        let Some(route) = self.routes.find(&request.uri).map(Arc::clone) else { return false };
        let limit = self.config.max_request_body;
        let Ok((reading, _)) = parse::read(&route, &mut request, Body::Empty, limit).await else {
            return false;
        };
        let request = self.cache.request(route, request, IpAddr::V4(Ipv4Addr::LOCALHOST), reading);
        self.fetcher.refresh(&request).await
    }
}
