//! What the control plane can do, by the parts.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::shared::Shared;
use crate::admin::figures::Figures;
use crate::admin::{Control, NotExplained, NotReloaded, Question, Reloaded, What};
use crate::origin::stats::OriginStats;
use crate::proxy::explain;
use crate::purge::{Filter, Page, Purge, PurgeError, Purged};
use crate::telemetry::counters::Count;
use crate::telemetry::exposition::Sample;
use crate::telemetry::metric::Metric;
use crate::{tasks, telemetry};

impl Control for Shared {
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
        let now = self.current.load();
        let origins: BTreeMap<&str, OriginStats> =
            now.upstreams.iter().map(|one| (one.name.as_str(), one.origin.stats())).collect();
        let (tally, figures) = (self.counters.tally(), self.figures());
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.up.elapsed().as_secs(),
            "traffic": self.counters.snapshot(),
            "verdicts": figures.verdicts(),
            "savings": tally.savings(),
            "errors": tally.errors(),
            "origin_errors": tally.origin_errors(),
            "not_stored": tally.not_stored_by_reason(),
            "response_seconds": tally.response_seconds(),
            "store": self.store.usage(),
            "upstreams": origins,
            "fetches_under_way": now.proxy.fetches_under_way(),
            "cache_stats": figures.cache_stats(),
            "metrics": figures.metrics(),
            "configuration": self.reloads.stats(),
            "hours": tally.hours().series(self.clock.now()),
        })
    }

    fn figures(&self) -> Figures {
        let (counters, usage) = (&self.counters, self.store.usage());
        Figures {
            memory: counters.get(Count::HitsMemory),
            disk: counters.get(Count::HitsDisk),
            misses: counters.get(Count::Misses),
            revalidated: counters.get(Count::Revalidated),
            stale: counters.get(Count::StaleServed),
            stale_on_error: counters.get(Count::StaleOnError),
            memory_bytes: usage.memory_bytes,
            memory_capacity: usage.memory_capacity,
            memory_records: usage.memory_records,
            disk_capacity: usage.disk_capacity,
            disk_healthy: usage.disk_healthy,
            ttl: self.current.load().ttl,
        }
    }

    /// Each part collects its own.
    fn samples(&self) -> Vec<Sample> {
        let now = self.current.load();
        let mut samples = vec![
            Sample::whole(Metric::Build, 1).of(env!("CARGO_PKG_VERSION")),
            Sample::real(Metric::Uptime, self.up.elapsed().as_secs_f64()),
            Sample::whole(Metric::LostLogLines, telemetry::output::lost_lines()),
            Sample::whole(Metric::Panics, tasks::panics()),
            Sample::whole(Metric::RunningFetches, now.proxy.fetches_under_way() as u64),
        ];
        samples.extend(self.reloads.samples());
        samples.extend(self.counters.samples());
        samples.extend(self.store.usage().samples());
        samples.extend(self.jobs.samples());
        for one in &now.upstreams {
            samples.extend(one.origin.stats().samples(&one.name));
        }
        samples
    }

    fn explain(&self, question: Question) -> BoxFuture<'_, Result<Value, NotExplained>> {
        let what = match question.what {
            What::Request(url) => explain::What::Request(url),
            What::Page(page) => explain::What::Page(page),
        };
        let question = explain::Question { what, method: question.method, fields: question.fields };
        Box::pin(async move {
            let proxy = std::sync::Arc::clone(&self.current.load().proxy);
            proxy.explain(question).await.map_err(|error| NotExplained(error.into()))
        })
    }

    fn purge(&self, what: Purge) -> BoxFuture<'_, Result<Purged, PurgeError>> {
        Box::pin(async move { self.current.load_full().purger.purge(what).await })
    }

    fn stored(&self, filter: &Filter) -> Result<Page, PurgeError> {
        self.current.load().purger.stored(filter)
    }

    fn drop_useless(&self) -> BoxFuture<'_, u64> {
        Box::pin(async move { self.current.load_full().purger.drop_useless().await })
    }

    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, NotReloaded>> {
        Box::pin(self.reload())
    }
}
