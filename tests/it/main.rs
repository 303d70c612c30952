//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation is a failed test")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin_control;
mod app_restart;
mod architecture;
mod chrome_capture;
mod chrome_guard;
mod chrome_life;
mod chrome_site;
mod cli_check;
mod cli_health;
mod interim;
mod licences;
mod listener_drain;
mod listener_exchange;
mod listener_limits;
mod origin_framing;
mod proxy_cache;
mod proxy_collapse;
mod proxy_forwarding;
mod proxy_invalidation;
mod proxy_streaming;
mod proxy_validation;
mod proxy_vary;
mod remote_exchange;
mod remote_failures;
mod store_crash;
mod store_disk;
mod store_faults;
mod store_fixture;
mod store_full;
mod store_suite;
mod support;
mod support_self;
