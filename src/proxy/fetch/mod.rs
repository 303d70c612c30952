//! Fetches from origins.
//!
//! [`Fetcher`] owns the fetches that are under way, the memory that they may hold, and what it
//! fetches ahead of time. Requests for one key share one fetch ([`collapse`], [`flight`]). The
//! fetch asks the origin and decides on the head ([`run`]), and takes the body in ([`body`]).
//! Requests that bypass the cache go through [`bypass`]. Each request gets a
//! [`Fetched`](outcome::Fetched); the responder makes a response of it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::derive::Deriver;
use crate::proxy::cache::Cache;
use crate::proxy::config::Config;
use crate::proxy::route::Route;
use crate::store::CacheKey;
use crate::telemetry::counters::Counters;

mod background;
mod body;
pub(crate) mod bypass;
mod change_history;
mod collapse;
pub(crate) mod flight;
mod origin;
pub(crate) mod outcome;
pub(crate) mod prefetch;
mod run;
pub(crate) mod shared_body;
mod task;
#[cfg(test)]
mod tests;

use flight::Flights;
use prefetch::Prefetch;
use shared_body::Budget;

/// See the [module](self).
pub(crate) struct Fetcher {
    cache: Arc<Cache>,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    deriver: Arc<Deriver>,
    flights: Arc<Flights>,
    /// How many fetches have not ended, with those that no other request can join.
    under_way: Arc<watch::Sender<usize>>,
    /// How many of them a client waits for.
    awaited: Arc<watch::Sender<usize>>,
    /// What all fetches may hold in memory.
    budget: Arc<Budget>,
    prefetch: Prefetch,
}

impl Fetcher {
    pub(crate) fn new(
        cache: Arc<Cache>,
        config: Arc<Config>,
        (clock, counters): (Arc<dyn Clock>, Arc<Counters>),
        deriver: Arc<Deriver>,
    ) -> Arc<Self> {
        Arc::new(Fetcher {
            budget: Arc::new(Budget::new(config.max_fetch_buffer)),
            prefetch: Prefetch::new(config.prefetches()),
            cache,
            config,
            clock,
            counters,
            deriver,
            flights: Arc::default(),
            under_way: Arc::default(),
            awaited: Arc::default(),
        })
    }

    /// The fetcher that follows this one. It knows the fetches that this one began, and takes over
    /// what is prefetched for routes that `stay`.
    pub(crate) fn reloaded(
        &self,
        cache: Arc<Cache>,
        config: Arc<Config>,
        deriver: Arc<Deriver>,
        stays: impl Fn(&Arc<Route>) -> bool,
    ) -> Arc<Self> {
        let budget = match config.max_fetch_buffer == self.config.max_fetch_buffer {
            true => Arc::clone(&self.budget),
            false => Arc::new(Budget::new(config.max_fetch_buffer)),
        };
        Arc::new(Fetcher {
            prefetch: self.prefetch.reloaded(config.prefetches(), stays),
            cache,
            config,
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
            deriver,
            flights: Arc::clone(&self.flights),
            under_way: Arc::clone(&self.under_way),
            awaited: Arc::clone(&self.awaited),
            budget,
        })
    }

    /// How many fetches have not ended.
    pub(crate) fn under_way(&self) -> usize {
        *self.under_way.borrow()
    }

    /// Whether a fetch for `key` is under way that other requests can join.
    pub(crate) fn is_under_way(&self, key: &CacheKey) -> bool {
        self.flights.is_under_way(key)
    }

    /// Waits until no more than `count` fetches are under way.
    pub(crate) async fn at_most(&self, count: usize) {
        // The sender is our own, so that it cannot be gone.
        let _ = self.under_way.subscribe().wait_for(|fetches| *fetches <= count).await;
    }

    /// Waits until no client waits for a fetch.
    pub(crate) async fn none_awaited(&self) {
        let _ = self.awaited.subscribe().wait_for(|fetches| *fetches == 0).await;
    }

    /// Prefetches nothing any more.
    pub(crate) fn stop_prefetching(&self) {
        self.prefetch.stop();
    }
}
