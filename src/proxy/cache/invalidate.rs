//! Invalidation by unsafe methods (RFC 9111 section 4.4) and by groups (RFC 9875).

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};
use url::Url;

use super::Cache;
use crate::policy::{groups, invalidation};
use crate::proxy::route::Routes;
use crate::store::{Handle, Scope};

impl Cache {
    /// Makes the stored responses unusable that a request of an unsafe method to `target`
    /// invalidated, and those that fetches under way would store: `is_fetched` says whether one
    /// carries a handle.
    pub(crate) async fn invalidate(
        &self,
        routes: &Routes,
        method: &Method,
        target: &Uri,
        (status, fields): (StatusCode, HeaderMap),
        is_fetched: impl Fn(&Handle) -> bool,
    ) {
        if !invalidation::seen_by(method, status) {
            return;
        }
        let mut targets = vec![target.clone()];
        if let Ok(url) = Url::parse(&target.to_string()) {
            let invalidated = invalidation::invalidated(method, &url, status, &fields);
            targets.extend(invalidated.iter().filter_map(|url| url.as_str().parse::<Uri>().ok()));
        }
        targets.dedup();
        if let Some(route) = routes.find(target) {
            for group in groups::invalidated(method, status, &fields) {
                self.purge_durably(Handle::of_group(&route.scope(target), &group)).await;
            }
        }
        for target in targets {
            // A URL in `Location` may belong to another route.
            let Some(route) = routes.find(&target) else { continue };
            for (key, handle) in self.no_vary_search.names(route, &target) {
                // Without this check any client could fill the purge ledger.
                let is_there = self.store.get_memory(key.as_bytes()).is_some()
                    || is_fetched(&handle)
                    || self.store.get_disk(&key).await.is_some();
                if is_there {
                    self.purge_durably(handle).await;
                }
            }
        }
    }

    async fn purge_durably(&self, handle: Handle) {
        let store = Arc::clone(&self.store);
        // The ledger waits for the disk.
        let purged = tokio::task::spawn_blocking(move || store.purge(Scope::Handle(handle))).await;
        if !matches!(purged, Ok(Ok(()))) {
            tracing::error!("an invalidation could not be made durable");
        }
    }
}
