//! The cache: stored responses, and what is remembered of keys that have none.
//!
//! [`Cache`] owns the store, the negative cache, the decline log and the rules of `No-Vary-Search`.
//! It finds the stored response for a request ([`lookup`]), decides whether it may answer
//! ([`decide`]), stores responses ([`mod@write`]) and applies what other exchanges do to them
//! ([`invalidate`], [`head_update`]). It knows nothing of fetches.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Uri};

use crate::clock::Clock;
use crate::proxy::request::CacheRequest;
use crate::proxy::request::reading::Reading;
use crate::proxy::route::Route;
use crate::store::{CacheKey, Handle, Store};
use crate::telemetry::counters::Counters;

pub(crate) mod decide;
pub(crate) mod decline_log;
mod head_update;
mod invalidate;
mod lookup;
pub(crate) mod negative;
mod no_vary_search;
mod recent_keys;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use decline_log::DeclineLog;
use negative::NegativeCache;
use no_vary_search::NoVarySearch;
use stored::Found;

/// See the [module](self).
pub(crate) struct Cache {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    pub(crate) negative: Arc<NegativeCache>,
    pub(crate) declined: Arc<DeclineLog>,
    no_vary_search: Arc<NoVarySearch>,
    /// Held while an index of variants is rewritten.
    indexing: Arc<tokio::sync::Mutex<()>>,
    max_variants: usize,
}

impl Cache {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        (clock, counters): (Arc<dyn Clock>, Arc<Counters>),
        max_variants: usize,
    ) -> Arc<Self> {
        Arc::new(Cache {
            store,
            clock,
            counters,
            negative: Arc::default(),
            declined: Arc::default(),
            no_vary_search: Arc::default(),
            indexing: Arc::default(),
            max_variants,
        })
    }

    /// The same cache with another bound on variants.
    pub(crate) fn reloaded(&self, max_variants: usize) -> Arc<Self> {
        Arc::new(Cache {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
            negative: Arc::clone(&self.negative),
            declined: Arc::clone(&self.declined),
            no_vary_search: Arc::clone(&self.no_vary_search),
            indexing: Arc::clone(&self.indexing),
            max_variants,
        })
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The cache request of a client's request that was read.
    pub(in crate::proxy) fn request(
        &self,
        route: Arc<Route>,
        head: Parts,
        peer: IpAddr,
        reading: Reading,
    ) -> CacheRequest {
        let primary = match reading.key {
            Some(key) => CacheKey::new(key),
            None => self.primary_key(&route, &head.uri),
        };
        CacheRequest::new(route, head, peer, primary, reading.wishes, reading.leave)
    }

    /// What is stored for `request`, unless a rule says that it is not cached.
    pub(crate) async fn find(&self, request: &CacheRequest) -> Found {
        match request.plan.refused {
            None => self.look_up(&request.primary, &request.head).await,
            Some(_) => Found::nothing(&request.primary),
        }
    }

    /// The primary cache key of a request for `target`.
    fn primary_key(&self, route: &Route, target: &Uri) -> CacheKey {
        let mut key = Vec::with_capacity(128);
        self.no_vary_search.key_into(route, &mut key, target);
        CacheKey::new(key)
    }

    /// The handles by which a purge of `target` as a URL finds what is stored.
    pub(crate) fn handles(&self, route: &Route, target: &Uri) -> Vec<Handle> {
        self.no_vary_search.names(route, target).into_iter().map(|(_, handle)| handle).collect()
    }

    /// Learns the rule in `response`, and gives the primary key under which the response is then
    /// stored.
    pub(crate) fn learn_no_vary_search(
        &self,
        route: &Route,
        target: &Uri,
        response: &HeaderMap,
        sequence: u64,
    ) -> CacheKey {
        self.no_vary_search.learn(route, target, response, sequence);
        self.primary_key(route, target)
    }
}
