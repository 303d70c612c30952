//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation is a failed test")]

mod cli_check;
mod cli_health;
mod licences;
mod listener_drain;
mod listener_exchange;
mod listener_limits;
mod proxy_cache;
mod proxy_collapse;
mod proxy_validation;
mod support;
mod support_self;
