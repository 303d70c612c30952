//! What is stored, as the control plane lists it.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::policy::purge::{Named, shown};
use crate::store::Listed;

/// One stored response.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct StoredItem {
    /// Its key, octets that text cannot have percent-encoded.
    pub key: String,
    /// The page that it captures, else its URL.
    pub target: String,
    /// Status code of the response.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// `memory`, or `disk` where it is on disk only.
    pub tier: &'static str,
    /// Seconds since it was stored or validated.
    pub age: u64,
    /// Seconds for which it is still fresh, negative when stale.
    pub ttl: i64,
    /// Seconds until it is of no use any more without being validated.
    pub useful_for: u64,
    /// Milliseconds that it took to get.
    pub cost_ms: u64,
    /// Requests that it answered, as far as this was noted.
    pub hits: u32,
    /// Whether it can be fetched again without a client: it was asked for without credentials.
    pub refreshable: bool,
}

/// What of the listing is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what each of these names.
    pub named: Vec<Named>,
    /// Where an earlier page left off.
    pub cursor: Option<u64>,
    /// Stored responses on the page.
    pub limit: usize,
}

/// A page of the listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The stored responses.
    pub stored: Vec<StoredItem>,
    /// Where the next page begins, if there may be one.
    pub cursor: Option<u64>,
    /// Whether everything stored is listed.
    pub complete: bool,
}

impl StoredItem {
    /// As the listing of the store has it.
    pub(super) fn of(listed: Listed, now: Timestamp) -> Self {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let (left, over) = (listed.fresh_until.since(now), now.since(listed.fresh_until));
        StoredItem {
            key: shown(listed.key.as_bytes()),
            target: listed.asking.target.clone(),
            status: listed.status,
            bytes: listed.bytes,
            tier: if listed.in_memory { "memory" } else { "disk" },
            age: now.since(listed.stored).as_secs(),
            ttl: seconds(left) - seconds(over),
            useful_for: listed.useful_until.since(now).as_secs(),
            cost_ms: u64::try_from(listed.cost.as_millis()).unwrap_or(u64::MAX),
            hits: listed.hits,
            refreshable: listed.asking.again.is_some(),
        }
    }
}
