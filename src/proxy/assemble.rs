//! Puts a data plane together, and the one that follows it after a reload.

use std::sync::Arc;

use super::auth::Keyring;
use super::cache::Cache;
use super::fast_path::FastPath;
use super::fetch::Fetcher;
use super::respond::Responder;
use super::respond::rendition::Renditions;
use super::route::Routes;
use super::{Config, Proxy};
use crate::clock::Clock;
use crate::derive::Deriver;
use crate::store::Store;
use crate::telemetry::counters::Counters;

impl Proxy {
    /// A data plane over these parts.
    pub fn new(
        config: Config,
        routes: Routes,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let config = Arc::new(config);
        let deriver = Arc::new(Deriver::new(config.derive.clone()));
        let shared = || (Arc::clone(&clock), Arc::clone(&counters));
        let cache = Cache::new(Arc::clone(&store), shared(), config.max_variants);
        let fetcher = Fetcher::new(Arc::clone(&cache), Arc::clone(&config), shared(), Arc::clone(&deriver));
        fetcher.start_prefetching();
        Arc::new(Proxy {
            keys: Keyring::new(&config.keys, None),
            routes,
            fetcher,
            responder: Responder::new(&config, shared()),
            renditions: Renditions::new(
                Arc::clone(&cache),
                Arc::clone(&deriver),
                shared(),
                config.max_stored_bytes,
            ),
            fast_path: FastPath::new(store, shared(), config.prepared_places()),
            cache,
            deriver,
            config,
            clock,
            counters,
        })
    }

    /// The data plane that follows this one after a reload. They share the store, the counts, the
    /// fetches under way and what is remembered of keys, so that there is one fetch for a key
    /// across the two. This one still answers the requests that it has, and prefetches nothing any
    /// more.
    pub fn succeeded_by(&self, config: Config, mut routes: Routes) -> Arc<Self> {
        routes.adopt(&self.routes, |name| {
            let of = |config: &Config| config.routes.iter().find(|route| route.name == name).cloned();
            of(&self.config) == of(&config)
        });
        let config = Arc::new(config);
        let shared = || (Arc::clone(&self.clock), Arc::clone(&self.counters));
        let deriver = match config.derive == self.config.derive {
            true => Arc::clone(&self.deriver),
            false => Arc::new(Deriver::new(config.derive.clone())),
        };
        let cache = self.cache.reloaded(config.max_variants);
        let fetcher =
            self.fetcher.reloaded(Arc::clone(&cache), Arc::clone(&config), Arc::clone(&deriver), |route| {
                routes.has(route)
            });
        fetcher.start_prefetching();
        Arc::new(Proxy {
            keys: Keyring::new(&config.keys, Some(&self.keys)),
            fetcher,
            responder: Responder::new(&config, shared()),
            renditions: Renditions::new(
                Arc::clone(&cache),
                Arc::clone(&deriver),
                shared(),
                config.max_stored_bytes,
            ),
            // What was certain by the old rules may not be so by the new ones.
            fast_path: FastPath::new(Arc::clone(self.cache.store()), shared(), config.prepared_places()),
            cache,
            routes,
            deriver,
            config,
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
        })
    }
}
