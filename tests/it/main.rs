//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation is a failed test")]

mod listener_drain;
mod listener_exchange;
mod listener_limits;
mod remote_exchange;
mod remote_failures;
mod support;
mod support_self;
