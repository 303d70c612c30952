//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation is a failed test")]

mod admin_control;
mod app_restart;
mod architecture;
mod chrome_capture;
mod chrome_guard;
mod chrome_life;
mod chrome_site;
mod cli_check;
mod cli_health;
mod licences;
mod listener_drain;
mod listener_exchange;
mod listener_limits;
mod proxy_cache;
mod proxy_collapse;
mod proxy_extensions;
mod proxy_fetch;
mod proxy_forwarding;
mod proxy_invalidation;
mod proxy_ranges;
mod proxy_streaming;
mod proxy_validation;
mod proxy_vary;
mod regression;
mod remote_exchange;
mod remote_failures;
mod semantics_oracle;
mod store_crash;
mod store_disk;
mod store_faults;
mod store_fixture;
mod store_full;
mod store_suite;
mod support;
mod support_self;
