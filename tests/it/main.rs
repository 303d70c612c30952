//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.

// Test helpers may panic as tests may; clippy only knows functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_crash;
mod store_disk;
mod store_faults;
mod store_fixture;
mod store_full;
mod store_suite;
mod support;
