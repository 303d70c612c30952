//! The purge ledger.
