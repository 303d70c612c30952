//! What the control plane can do, by the parts.

use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::Parts;
use crate::admin::{self, Control, NotReloaded, Purge, PurgeError, Purged, Reloaded};
use crate::telemetry::exposition::Sample;

impl Control for Parts {
    fn readiness(&self) -> Vec<(String, bool)> {
        // A disk tier that fails costs hits, not answers; it shows in the figures.
        let now = self.current.load();
        let upstreams = now.upstreams.iter();
        let mut parts: Vec<_> =
            upstreams.map(|one| (format!("upstream.{}", one.name), one.origin.is_ready())).collect();
        if let Some(failure) = self.tasks.failure() {
            parts.push((format!("task.{}", failure.task), false));
        }
        if self.warming.load(Ordering::Relaxed) {
            parts.push(("warm".to_owned(), false));
        }
        parts
    }

    fn failure(&self) -> Option<String> {
        self.tasks.failure().map(|failure| failure.to_string())
    }

    fn stats(&self) -> Value {
        self.all_stats()
    }

    fn figures(&self) -> admin::stats::Figures {
        self.cache_figures()
    }

    fn samples(&self) -> Vec<Sample> {
        self.all_samples()
    }

    fn explain(
        &self,
        ask: admin::explain::Ask,
    ) -> BoxFuture<'_, Result<Value, admin::explain::NotExplained>> {
        Box::pin(self.explained(ask))
    }

    fn purge(&self, what: Purge) -> BoxFuture<'_, Result<Purged, PurgeError>> {
        Box::pin(async move { self.current.load_full().purges.purge(what).await })
    }

    fn stored(&self, ask: &admin::stored::Ask) -> Result<admin::stored::Page, PurgeError> {
        self.current.load().purges.stored(ask)
    }

    fn drop_useless(&self) -> BoxFuture<'_, u64> {
        Box::pin(async move { self.current.load_full().purges.drop_useless().await })
    }

    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, NotReloaded>> {
        Box::pin(self.reload())
    }
}
