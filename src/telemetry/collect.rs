//! The metrics of [`Counters`], and of the values counted by reason.

use super::counters::{Count, Counters};
use super::exposition::Sample;
use super::metric::Metric;

/// Counts that are exported as one metric each.
const COUNTS: [(Metric, Count); 8] = [
    (Metric::Collapsed, Count::Collapsed),
    (Metric::NotModified, Count::NotModified),
    (Metric::SentBytes, Count::BytesSent),
    (Metric::OriginRequests, Count::OriginRequests),
    (Metric::FetchedBytes, Count::BytesFetched),
    (Metric::EarlyRefreshes, Count::EarlyRefreshes),
    (Metric::Stored, Count::Stored),
    (Metric::Purges, Count::Purges),
];

impl Counters {
    /// The metrics at this moment.
    pub fn samples(&self) -> Vec<Sample> {
        let (tally, lag) = (self.tally(), self.purge_lag().figures());
        let savings = tally.savings();
        let mut samples: Vec<Sample> =
            COUNTS.iter().map(|(metric, count)| Sample::whole(*metric, self.get(*count))).collect();
        samples.extend([
            Sample::real(Metric::HitRatio, self.snapshot().hit_rate),
            Sample::real(Metric::SavedBrowser, savings.browser_seconds),
            Sample::whole(Metric::SavedCalls, savings.origin_requests),
            Sample::whole(Metric::SavedBytes, savings.bytes_by_304),
            Sample::real(Metric::PurgeLag, lag.sum_seconds),
            Sample::whole(Metric::PurgesMeasured, lag.count),
            Sample::real(Metric::LongestPurgeLag, lag.max_seconds),
        ]);
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
        samples
    }
}
