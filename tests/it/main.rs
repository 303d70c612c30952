//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.

mod store_crash;
mod store_disk;
mod store_faults;
mod store_fixture;
mod store_full;
mod store_suite;
mod support;
