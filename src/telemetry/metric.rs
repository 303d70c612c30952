//! [`Metric`]: the names and descriptions of all metrics, as `/metrics` exports them and
//! docs/METRICS.md lists them. Names have the form `tintype_<noun>_<unit>`. Counters also get
//! `_total`.

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values in buckets.
    Histogram,
}

macro_rules! metrics {
    ($($metric:ident $kind:ident $name:literal [$($label:literal)*] $help:literal)*) => {
        /// Every metric that is exported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $(#[doc = $help] $metric,)*
        }

        impl Metric {
            /// All metrics, in the order of the export.
            pub const ALL: &[Metric] = &[$(Metric::$metric,)*];

            /// The name; that of a counter lacks `_total`.
            pub fn family(self) -> &'static str {
                match self { $(Metric::$metric => $name,)* }
            }

            /// The type of the metric.
            pub fn kind(self) -> Kind {
                match self { $(Metric::$metric => Kind::$kind,)* }
            }

            /// The names of the metric's labels.
            pub fn labels(self) -> &'static [&'static str] {
                match self { $(Metric::$metric => &[$($label,)*],)* }
            }

            /// The description, in one sentence.
            pub fn help(self) -> &'static str {
                match self { $(Metric::$metric => $help,)* }
            }
        }
    };
}

metrics! {
    Build Gauge "tintype_build_info" ["version"] "Always 1; the version is its label."
    Uptime Gauge "tintype_uptime_seconds" [] "Time since the start."
    Reloads Counter "tintype_reloads" ["outcome"] "Reloads of the configuration: taken, or refused because of what was wrong with it."
    GoodConfiguration Gauge "tintype_good_configurations" [] "1 if the configuration that was read last is in force, 0 if it was refused and an older one goes on."
    LostLogLines Counter "tintype_lost_log_lines" [] "Log lines that were lost, because nobody read them in time or they could not be written."
    Panics Counter "tintype_panics" [] "Panics in any thread or task; each is a fault in tintype or a library, and is in the log."

    Requests Counter "tintype_requests" ["cache"] "Requests answered on the data plane, by what the cache did."
    ResponseTime Histogram "tintype_response_seconds" ["cache"] "Time from a request's head to the last byte of its answer being handed over, by what the cache did."
    HitRatio Gauge "tintype_hit_ratio" [] "Share of the cacheable requests since the start that needed no new response from the origin, 0 to 1."
    Collapsed Counter "tintype_collapsed_requests" [] "Requests answered by another request's fetch."
    NotModified Counter "tintype_not_modified_responses" [] "Answers of status 304."
    Errors Counter "tintype_errors" ["reason"] "Answers of tintype's own, refusals and failures, by reason."
    SentBytes Counter "tintype_sent_bytes" [] "Body bytes sent to clients."

    OriginRequests Counter "tintype_origin_requests" [] "Requests sent to origins."
    OriginErrors Counter "tintype_origin_errors" ["reason"] "Requests to origins without a usable answer, by reason; an error status is reason status."
    FetchTime Histogram "tintype_fetch_seconds" ["route"] "Time from a request to an origin to the head of its response, or to its failure, by route."
    FetchedBytes Counter "tintype_fetched_bytes" [] "Body bytes received from origins."
    RunningFetches Gauge "tintype_running_fetches" [] "Fetches that are not yet stored or given up."
    EarlyRefreshes Counter "tintype_early_refreshes" [] "Fetches begun for what was still fresh."

    Stored Counter "tintype_stored_responses" [] "Responses stored, confirmed ones too."
    NotStored Counter "tintype_unstored_responses" ["reason"] "Responses that were not stored, by reason."
    SavedBrowser Counter "tintype_saved_browser_seconds" [] "Time that answers from the store had cost the capture engine to make."
    SavedCalls Counter "tintype_saved_origin_requests" [] "Answers from the store that would each have been a request to a remote origin."
    SavedBytes Counter "tintype_saved_bytes" [] "Body bytes that a 304 spared from being sent."

    MemoryBytes Gauge "tintype_memory_bytes" [] "Bytes in the memory tier."
    MemoryCapacity Gauge "tintype_memory_capacity_bytes" [] "Bound of the memory tier."
    MemoryRecords Gauge "tintype_memory_records" [] "Records in the memory tier."
    DiskCapacity Gauge "tintype_disk_capacity_bytes" [] "Bound of the disk tier, which takes all of it from the first start; 0 without one."
    DiskHealthy Gauge "tintype_healthy_disks" [] "1 if the disk tier takes writes, 0 if it is dead; not there without a disk tier."
    DiskDropped Counter "tintype_disk_dropped_records" [] "Records that never reached the disk because its queue or buffer was full."
    DiskErrors Counter "tintype_disk_read_errors" [] "Reads from disk that failed or gave something odd, served as misses."
    DiskAtOnce Counter "tintype_disk_reads_at_once" [] "Reads from disk that the page cache answered on the spot, without a thread in between."
    LedgerEntries Gauge "tintype_ledger_entries" [] "Purges in the ledger."
    Listed Gauge "tintype_listed_responses" [] "Stored responses in the listing that purges by host and prefix count with."
    Purges Counter "tintype_purges" [] "Purges by an operator."
    PurgeLag Counter "tintype_purge_lag_seconds" [] "Time that purges took from being accepted to being durable and in effect."
    PurgesMeasured Counter "tintype_measured_purges" [] "Purges whose lag was measured."
    LongestPurgeLag Gauge "tintype_longest_purge_lag_seconds" [] "The longest lag of a purge since the start."

    Jobs Gauge "tintype_jobs" ["status"] "Batch jobs that are known, by how they stand; those that ended are forgotten after jobs.retention."
    WaitingItems Gauge "tintype_waiting_job_items" [] "Items of batch jobs that are not captured yet, those under way too."

    UpstreamReady Gauge "tintype_ready_upstreams" ["upstream"] "1 if a request sent to the upstream now has a chance, else 0."
    Browsers Gauge "tintype_ready_browsers" ["upstream"] "Browsers that take captures."
    RunningCaptures Gauge "tintype_running_captures" ["upstream"] "Captures under way."
    WaitingCaptures Gauge "tintype_waiting_captures" ["upstream"] "Requests in the queue of the capture engine."
    Captures Counter "tintype_captures" ["upstream"] "Pictures made."
    FailedCaptures Counter "tintype_failed_captures" ["upstream"] "Captures that ended without a picture."
    BoundedCaptures Counter "tintype_bounded_captures" ["upstream"] "Pictures of pages that were captured at max_settle, or while their scripts went on drawing; /stats has what they waited for."
    IncompleteCaptures Counter "tintype_incomplete_captures" ["upstream"] "Pictures of pages that were not loaded within max_load."
    RefusedCaptures Counter "tintype_refused_captures" ["upstream"] "Requests for captures with bad parameters or refused targets."
    BusyCaptures Counter "tintype_busy_captures" ["upstream"] "Requests that found the queue of the capture engine full."
    Probes Counter "tintype_probes" ["upstream"] "Pages asked whether they changed, in place of a capture."
    UnchangedProbes Counter "tintype_unchanged_probes" ["upstream"] "Captures that probes made needless."
    FailedProbes Counter "tintype_failed_probes" ["upstream"] "Probes of pages that could not be asked."
    BrowserRestarts Counter "tintype_browser_restarts" ["upstream"] "Browsers launched, or connected to, after the first."
    UnhealthyBrowsers Counter "tintype_unhealthy_browsers" ["upstream"] "Browsers given up because they hung or failed their check."
}

impl Metric {
    /// The name in queries, which has `_total` for a counter.
    pub fn name(self) -> String {
        let total = if self.kind() == Kind::Counter { "_total" } else { "" };
        format!("{}{total}", self.family())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_one_form_and_are_unique() {
        let mut names: Vec<_> = Metric::ALL.iter().map(|metric| metric.family()).collect();
        for (name, metric) in names.iter().zip(Metric::ALL) {
            assert!(name.starts_with("tintype_") && name.matches('_').count() >= 1, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(!name.ends_with("_total") && !name.ends_with("_count"), "{name}");
            assert!(metric.help().ends_with('.'), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
    }

    /// docs/METRICS.md has a row for each metric, and no other rows.
    #[test]
    fn the_document_lists_all_metrics_and_no_others() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        let document = std::fs::read_to_string(path).expect("docs/METRICS.md");
        let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `tintype_")).collect();
        let expected: Vec<String> = Metric::ALL.iter().map(|metric| row(*metric)).collect();
        assert_eq!(rows, expected, "{}", expected.join("\n"));
    }

    fn row(metric: Metric) -> String {
        let labels: Vec<String> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", metric.kind()).to_lowercase();
        format!("| `{}` | {kind} | {} | {} |", metric.name(), labels.join(", "), metric.help())
    }
}
