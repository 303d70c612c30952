//! The settings of a store, as section `[store]` gives them.

use std::path::PathBuf;
use std::time::Duration;

/// Where records are kept, and how many bytes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the disk tier and the purge ledger. Without it, everything is kept in memory only,
    /// purges included.
    pub dir: Option<PathBuf>,
    /// Bound of the memory tier in bytes, with keys and heads.
    pub memory_bytes: u64,
    /// Bound of the disk tier in bytes. The room is preallocated at the first start.
    pub disk_bytes: u64,
    /// Size of one disk block in bytes: the unit of eviction and the bound of one stored record.
    pub block_bytes: u64,
    /// Bytes that may wait to be written. Records beyond it are kept in memory only.
    pub write_buffer_bytes: u64,
    /// Purges kept in the ledger. The oldest are folded into one purge of everything older.
    pub max_ledger_entries: usize,
    /// Stored responses in the listing. The ones noted longest ago leave it first.
    pub max_listed: usize,
    /// How often a canary record is written and read back.
    pub canary_interval: Duration,
    /// How long to wait for another process that has the folder open.
    pub lock_timeout: Duration,
}
