//! What happened, counted since start. Relaxed atomics: figures, not synchronisation.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::lag::{Lag, LagFigures};
use super::tally::Tally;

/// Which count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Requests on the data plane.
    Requests,
    /// Answered from memory.
    HitsMemory,
    /// Of those, with an answer that was prepared.
    HitsPrepared,
    /// Answered from disk.
    HitsDisk,
    /// Answered by the origin.
    Misses,
    /// Answered with a stale response: while it is validated, or as the client allowed.
    StaleServed,
    /// Answered with a stale response because the origin failed.
    StaleOnError,
    /// Answered with a stored response that the origin confirmed.
    Revalidated,
    /// Passed by the cache: unsafe methods, ranges.
    Bypassed,
    /// Waited for another request's fetch.
    Collapsed,
    /// Answered 304.
    NotModified,
    /// Refused or failed by tintype itself.
    Errors,
    /// Requests sent to origins.
    OriginRequests,
    /// Of those, without a usable answer: none, or an error status.
    OriginErrors,
    /// Responses stored.
    Stored,
    /// Fetches begun for what was still fresh.
    EarlyRefreshes,
    /// Body bytes sent to clients.
    BytesSent,
    /// Body bytes received from origins.
    BytesFetched,
    /// Purges by an operator.
    Purges,
}

const COUNTS: usize = Count::Purges as usize + 1;

/// All counts.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; COUNTS], Lag, Tally);

impl Counters {
    /// Adds one.
    pub fn add(&self, count: Count) {
        self.add_many(count, 1);
    }

    /// Adds `many`.
    pub fn add_many(&self, count: Count, many: u64) {
        self.0[count as usize].fetch_add(many, Ordering::Relaxed);
    }

    /// The value of one.
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    /// How long purges take, from being accepted to being durable and in effect.
    pub fn purge_lag(&self) -> &Lag {
        &self.1
    }

    /// What is counted by kind.
    pub fn tally(&self) -> &Tally {
        &self.2
    }

    /// All of them at this moment.
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
    /// Hits by tier.
    pub hits: HitCounts,
    /// Answered by the origin.
    pub misses: u64,
    /// Stale answers and why.
    pub stale: StaleCounts,
    /// Stored responses confirmed by the origin.
    pub revalidated: u64,
    /// Passed by the cache.
    pub bypassed: u64,
    /// Waited for another request's fetch.
    pub collapsed: u64,
    /// Answered 304.
    pub not_modified: u64,
    /// Refused or failed by tintype itself.
    pub errors: u64,
    /// Responses stored.
    pub stored: u64,
    /// Purges by an operator.
    pub purges: u64,
    /// How long they took, from being accepted to being durable and in effect.
    pub purge_lag: LagFigures,
    /// The origin side.
    pub origin: OriginCounts,
    /// Body bytes sent to clients.
    pub bytes_sent: u64,
    /// Share of the cacheable requests that were answered without a new response from the origin, 0 to 1.
    pub hit_rate: f64,
}

/// Hits by tier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HitCounts {
    /// From memory.
    pub memory: u64,
    /// Of those, with an answer that was ready to be sent.
    pub prepared: u64,
    /// From disk.
    pub disk: u64,
}

/// Stale answers and why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StaleCounts {
    /// While being validated, or as the client allowed.
    pub served: u64,
    /// Because the origin failed.
    pub on_error: u64,
}

/// The origin side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OriginCounts {
    /// Requests sent.
    pub requests: u64,
    /// Without a usable answer.
    pub errors: u64,
    /// Body bytes received.
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
