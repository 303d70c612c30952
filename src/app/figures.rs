//! What the control plane shows: figures, metrics and explanations, gathered from the parts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Parts;
use crate::admin;
use crate::admin::stats::Figures;
use crate::config::{Config, Upstream};
use crate::origin::stats::{CaptureStats, OriginStats};
use crate::policy::rules::Lifetime;
use crate::proxy::Route;
use crate::proxy::explain::{Question, What};
use crate::tasks;
use crate::telemetry;
use crate::telemetry::counters::Count;
use crate::telemetry::exposition::Sample;
use crate::telemetry::metric::Metric;

/// How long a picture of the first built-in engine is fresh where no rule says otherwise; without one, a response of the first route that says.
pub(super) fn capture_ttl(config: &Config) -> Option<Duration> {
    let routes = &config.proxy.routes;
    let said = |route: &Route| route.lifetimes.default_ttl.and_then(Lifetime::in_time);
    let engine = || {
        config.upstreams.iter().find_map(|(_, upstream)| match upstream {
            Upstream::Chrome(config) => Some(config.lifetime),
            Upstream::Remote(_) => None,
        })
    };
    let of_engine = routes.iter().find(|route| route.lifetimes.engine).and_then(said);
    of_engine.or_else(engine).or_else(|| routes.iter().find_map(said))
}

impl Parts {
    pub(super) fn cache_figures(&self) -> Figures {
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

    pub(super) fn all_stats(&self) -> Value {
        let now = self.current.load();
        let origins: BTreeMap<&str, OriginStats> =
            now.upstreams.iter().map(|one| (one.name.as_str(), one.origin.stats())).collect();
        let (tally, figures) = (self.counters.tally(), self.cache_figures());
        let times: serde_json::Map<String, Value> = tally
            .answers()
            .filter(|(_, spread)| spread.count() > 0)
            .map(|(served, spread)| {
                let times = json!({
                    "count": spread.count(),
                    "mean": spread.seconds / spread.count() as f64,
                    "median_below": spread.quantile(0.5),
                    "p95_below": spread.quantile(0.95),
                    "p99_below": spread.quantile(0.99),
                });
                (served.name().to_owned(), times)
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.up.elapsed().as_secs(),
            "traffic": self.counters.snapshot(),
            "verdicts": figures.verdicts(),
            "savings": tally.savings(),
            "errors": tally.errors(),
            "origin_errors": tally.origin_errors(),
            "not_stored": tally.not_stored_by_reason(),
            "response_seconds": times,
            "store": self.store.usage(),
            "upstreams": origins,
            "fetches_under_way": now.proxy.fetches_under_way(),
            "cache_stats": figures.cache_stats(),
            "metrics": figures.metrics(),
            "configuration": self.reloads.stats(),
            "hours": tally.hours().series(self.clock.now()),
        })
    }

    /// Every metric at this moment.
    pub(super) fn all_samples(&self) -> Vec<Sample> {
        let (counters, tally, usage) = (&self.counters, self.counters.tally(), self.store.usage());
        let now = self.current.load();
        let (taken, refused) = self.reloads.counts();
        let (lag, savings) = (counters.purge_lag().figures(), tally.savings());
        let count = |metric, count| Sample::whole(metric, counters.get(count));
        let mut samples = vec![
            Sample::whole(Metric::Build, 1).of(env!("CARGO_PKG_VERSION")),
            Sample::real(Metric::Uptime, self.up.elapsed().as_secs_f64()),
            Sample::whole(Metric::Reloads, taken).of("taken"),
            Sample::whole(Metric::Reloads, refused).of("refused"),
            Sample::whole(Metric::GoodConfiguration, self.reloads.is_good().into()),
            Sample::whole(Metric::LostLogLines, telemetry::output::lost_lines()),
            Sample::whole(Metric::Panics, tasks::panics()),
            Sample::real(Metric::HitRatio, counters.snapshot().hit_rate),
            count(Metric::Collapsed, Count::Collapsed),
            count(Metric::NotModified, Count::NotModified),
            count(Metric::SentBytes, Count::BytesSent),
            count(Metric::OriginRequests, Count::OriginRequests),
            count(Metric::FetchedBytes, Count::BytesFetched),
            Sample::whole(Metric::RunningFetches, now.proxy.fetches_under_way() as u64),
            count(Metric::EarlyRefreshes, Count::EarlyRefreshes),
            count(Metric::Stored, Count::Stored),
            Sample::real(Metric::SavedBrowser, savings.browser_seconds),
            Sample::whole(Metric::SavedCalls, savings.origin_requests),
            Sample::whole(Metric::SavedBytes, savings.bytes_by_304),
            Sample::whole(Metric::MemoryBytes, usage.memory_bytes),
            Sample::whole(Metric::MemoryCapacity, usage.memory_capacity),
            Sample::whole(Metric::MemoryRecords, usage.memory_records),
            Sample::whole(Metric::DiskCapacity, usage.disk_capacity),
            Sample::whole(Metric::DiskDropped, usage.disk_dropped),
            Sample::whole(Metric::DiskErrors, usage.disk_errors),
            Sample::whole(Metric::DiskAtOnce, usage.disk_at_once),
            Sample::whole(Metric::LedgerEntries, usage.ledger_entries),
            Sample::whole(Metric::Listed, usage.listed),
            count(Metric::Purges, Count::Purges),
            Sample::real(Metric::PurgeLag, lag.sum_seconds),
            Sample::whole(Metric::PurgesMeasured, lag.count),
            Sample::real(Metric::LongestPurgeLag, lag.max_seconds),
        ];
        if usage.disk_capacity > 0 {
            samples.push(Sample::whole(Metric::DiskHealthy, usage.disk_healthy.into()));
        }
        for (served, spread) in tally.answers() {
            samples.push(Sample::whole(Metric::Requests, spread.count()).of(served.name()));
            samples.push(Sample::spread(Metric::ResponseTime, spread).of(served.name()));
        }
        for (metric, counts) in [
            (Metric::Errors, tally.errors()),
            (Metric::OriginErrors, tally.origin_errors()),
            (Metric::NotStored, tally.not_stored_by_reason()),
        ] {
            samples.extend(counts.into_iter().map(|(reason, count)| Sample::whole(metric, count).of(reason)));
        }
        let fetches = tally.fetches().into_iter();
        samples.extend(fetches.map(|(route, spread)| Sample::spread(Metric::FetchTime, spread).of(route)));
        for one in &now.upstreams {
            let (name, origin) = (one.name.as_str(), &one.origin);
            samples.push(Sample::whole(Metric::UpstreamReady, origin.is_ready().into()).of(name));
            samples.extend(origin.stats().captures.iter().flat_map(|captures| of_engine(name, captures)));
        }
        samples
    }

    pub(super) async fn explained(
        &self,
        ask: admin::explain::Ask,
    ) -> Result<Value, admin::explain::NotExplained> {
        let what = match ask.what {
            admin::explain::What::Request(url) => What::Request(url),
            admin::explain::What::Page(page) => What::Page(page),
        };
        let question = Question { what, method: ask.method, fields: ask.fields };
        self.current
            .load_full()
            .proxy
            .explain(question)
            .await
            .map_err(|error| admin::explain::NotExplained(error.into()))
    }
}

/// The figures of a capture engine.
fn of_engine(name: &str, stats: &CaptureStats) -> [Sample; 14] {
    [
        (Metric::Browsers, stats.browsers),
        (Metric::RunningCaptures, stats.running),
        (Metric::WaitingCaptures, stats.waiting),
        (Metric::Captures, stats.captures),
        (Metric::FailedCaptures, stats.failures),
        (Metric::BoundedCaptures, stats.bounded),
        (Metric::IncompleteCaptures, stats.incomplete),
        (Metric::RefusedCaptures, stats.refused),
        (Metric::BusyCaptures, stats.busy),
        (Metric::Probes, stats.probes),
        (Metric::UnchangedProbes, stats.probes_unchanged),
        (Metric::FailedProbes, stats.probes_failed),
        (Metric::BrowserRestarts, stats.restarts),
        (Metric::UnhealthyBrowsers, stats.unhealthy),
    ]
    .map(|(metric, value)| Sample::whole(metric, value).of(name))
}
