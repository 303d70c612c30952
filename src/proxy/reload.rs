//! One data plane after another: a reload changes routes and bounds, and nobody who is being served notices.

use std::sync::Arc;

use crate::derive::Deriver;
use crate::proxy::Config;
use crate::proxy::Proxy;
use crate::proxy::auth::Keyring;
use crate::proxy::fast_path::Prepareds;
use crate::proxy::fetch::shared_body::Budget;
use crate::proxy::route::Routes;
use crate::proxy::via;

impl Proxy {
    /// The data plane that follows this one. They share the store, the counts, the fetches under way, and what is remembered of
    /// keys, so that one fetch a key holds across the two. This one answers what it was asked before, and fetches nothing ahead.
    pub fn succeeded_by(&self, config: Config, mut routes: Routes) -> Arc<Self> {
        routes.adopt(&self.routes, |name| {
            let of = |config: &Config| config.routes.iter().find(|route| route.name == name).cloned();
            of(&self.config) == of(&config)
        });
        let watches = config.watches();
        let hot = self.hot.succeeded_by(watches, |route| routes.has(route));
        let budget = match config.max_fetch_buffer == self.config.max_fetch_buffer {
            true => Arc::clone(&self.budget),
            false => Arc::new(Budget::new(config.max_fetch_buffer)),
        };
        let deriver = match config.derive == self.config.derive {
            true => Arc::clone(&self.deriver),
            false => Arc::new(Deriver::new(config.derive.clone())),
        };
        let next = Arc::new(Proxy {
            deriver,
            via: via(&config),
            keys: Keyring::new(&config.keys, Some(&self.keys)),
            // What was certain by other rules is not by these.
            prepared: Prepareds::new(config.max_prepared),
            config,
            routes,
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
            flights: Arc::clone(&self.flights),
            under_way: Arc::clone(&self.under_way),
            awaited: Arc::clone(&self.awaited),
            marks: Arc::clone(&self.marks),
            budget,
            indexing: Arc::clone(&self.indexing),
            search: Arc::clone(&self.search),
            unstored: Arc::clone(&self.unstored),
            hot,
        });
        if watches {
            next.refresh_ahead();
        }
        next
    }
}
