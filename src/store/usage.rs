//! [`Usage`]: sizes and counts of a store.

/// Sizes of a store, and counts since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Bytes in the memory tier.
    pub memory_bytes: u64,
    /// Bound of the memory tier in bytes.
    pub memory_capacity: u64,
    /// Records in the memory tier.
    pub memory_records: u64,
    /// Bound of the disk tier in bytes; 0 without a disk tier.
    pub disk_capacity: u64,
    /// Whether the disk tier takes writes. False without a disk tier, or if its canary failed.
    pub disk_healthy: bool,
    /// Records that never reached the disk because the queue or the buffer was full.
    pub disk_dropped: u64,
    /// Reads from disk that failed or found damage. They were served as misses.
    pub disk_errors: u64,
    /// Reads from disk that the page cache answered on the calling thread.
    pub disk_at_once: u64,
    /// Purges by handle in the ledger.
    pub ledger_entries: u64,
    /// Stored responses in the listing.
    pub listed: u64,
}
