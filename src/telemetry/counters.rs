//! [`Counters`]: what happened since the start of the process. The counts are relaxed atomics and
//! do not synchronise.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::lag::{Lag, LagFigures};
use super::tally::Tally;

/// The events that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Requests on the data plane.
    Requests,
    /// Requests answered from memory.
    HitsMemory,
    /// Requests answered with a prepared response. They count as hits in memory too.
    HitsPrepared,
    /// Requests answered from disk.
    HitsDisk,
    /// Requests answered by the origin.
    Misses,
    /// Requests answered with a stale response: while it is validated, or as the client allowed.
    StaleServed,
    /// Requests answered with a stale response because the origin failed.
    StaleOnError,
    /// Requests answered with a stored response that the origin validated.
    Revalidated,
    /// Requests that bypassed the cache: unsafe methods, ranges.
    Bypassed,
    /// Requests that waited for the fetch of another request.
    Collapsed,
    /// Requests answered with a 304.
    NotModified,
    /// Requests that tintype itself refused, or failed to answer.
    Errors,
    /// Requests sent to origins.
    OriginRequests,
    /// Requests to origins without a usable response: none, or an error status.
    OriginErrors,
    /// Responses that were stored.
    Stored,
    /// Fetches that began while the stored response was still fresh.
    EarlyRefreshes,
    /// Body bytes sent to clients.
    BytesSent,
    /// Body bytes received from origins.
    BytesFetched,
    /// Purges by an operator.
    Purges,
}

const COUNTS: usize = Count::Purges as usize + 1;

/// All counts of a process.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; COUNTS], Lag, Tally);

impl Counters {
    /// Adds one to `count`.
    pub fn add(&self, count: Count) {
        self.add_many(count, 1);
    }

    /// Adds `many` to `count`.
    pub fn add_many(&self, count: Count, many: u64) {
        self.0[count as usize].fetch_add(many, Ordering::Relaxed);
    }

    /// The current value of `count`.
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    /// How long purges take, from being accepted to being durable and in effect.
    pub fn purge_lag(&self) -> &Lag {
        &self.1
    }

    /// The counts by kind or by reason.
    pub fn tally(&self) -> &Tally {
        &self.2
    }

    /// All counts at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let hits = HitCounts {
            memory: self.get(Count::HitsMemory),
            prepared: self.get(Count::HitsPrepared),
            disk: self.get(Count::HitsDisk),
        };
        let answered_here = hits.memory + hits.disk + self.get(Count::Revalidated);
        let stale =
            StaleCounts { served: self.get(Count::StaleServed), on_error: self.get(Count::StaleOnError) };
        let cacheable = answered_here + stale.served + stale.on_error + self.get(Count::Misses);
        Snapshot {
            requests: self.get(Count::Requests),
            hits,
            misses: self.get(Count::Misses),
            stale,
            revalidated: self.get(Count::Revalidated),
            bypassed: self.get(Count::Bypassed),
            collapsed: self.get(Count::Collapsed),
            not_modified: self.get(Count::NotModified),
            errors: self.get(Count::Errors),
            stored: self.get(Count::Stored),
            purges: self.get(Count::Purges),
            purge_lag: self.1.figures(),
            origin: OriginCounts {
                requests: self.get(Count::OriginRequests),
                errors: self.get(Count::OriginErrors),
                bytes: self.get(Count::BytesFetched),
            },
            bytes_sent: self.get(Count::BytesSent),
            hit_rate: if cacheable == 0 {
                0.0
            } else {
                (answered_here + stale.served + stale.on_error) as f64 / cacheable as f64
            },
        }
    }
}

/// The counts as `/stats` shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Requests on the data plane.
    pub requests: u64,
    /// Requests answered from the store, by tier.
    pub hits: HitCounts,
    /// Requests answered by the origin.
    pub misses: u64,
    /// Requests answered with a stale response, by reason.
    pub stale: StaleCounts,
    /// Requests answered with a stored response that the origin validated.
    pub revalidated: u64,
    /// Requests that bypassed the cache.
    pub bypassed: u64,
    /// Requests that waited for the fetch of another request.
    pub collapsed: u64,
    /// Requests answered with a 304.
    pub not_modified: u64,
    /// Requests that tintype itself refused, or failed to answer.
    pub errors: u64,
    /// Responses that were stored.
    pub stored: u64,
    /// Purges by an operator.
    pub purges: u64,
    /// How long purges took, from being accepted to being durable and in effect.
    pub purge_lag: LagFigures,
    /// Requests to origins and their responses.
    pub origin: OriginCounts,
    /// Body bytes sent to clients.
    pub bytes_sent: u64,
    /// Share of the cacheable requests that were answered without a new response from the origin,
    /// from 0 to 1.
    pub hit_rate: f64,
}

/// Requests answered from the store, by tier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HitCounts {
    /// Requests answered from memory.
    pub memory: u64,
    /// Requests answered with a prepared response, which `memory` includes.
    pub prepared: u64,
    /// Requests answered from disk.
    pub disk: u64,
}

/// Requests answered with a stale response, by reason.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StaleCounts {
    /// While the response was validated, or as the client allowed.
    pub served: u64,
    /// Because the origin failed.
    pub on_error: u64,
}

/// Requests to origins and their responses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OriginCounts {
    /// Requests sent to origins.
    pub requests: u64,
    /// Requests without a usable response.
    pub errors: u64,
    /// Body bytes received from origins.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_rate_counts_what_needed_no_new_response() {
        let counters = Counters::default();
        assert_eq!(counters.snapshot().hit_rate, 0.0);
        for count in [Count::HitsMemory, Count::HitsDisk, Count::Revalidated, Count::Misses] {
            counters.add(count);
        }
        assert_eq!(counters.snapshot().hit_rate, 0.75);
    }
}
