//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.

// A test fails by panicking, and so do its helpers, which clippy.toml's allowance does not reach.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cli_check;
mod cli_health;
mod licences;
mod support;
