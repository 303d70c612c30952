//! The metrics of an origin.

use super::stats::{CaptureStats, OriginStats};
use crate::telemetry::exposition::Sample;
use crate::telemetry::metric::Metric;

impl OriginStats {
    /// The metrics of the origin with this name.
    pub fn samples(&self, name: &str) -> Vec<Sample> {
        let mut samples = vec![Sample::whole(Metric::UpstreamReady, self.ready.into()).of(name)];
        samples.extend(self.captures.iter().flat_map(|captures| of_engine(name, captures)));
        samples
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
