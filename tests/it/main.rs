//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.

mod cli_check;
mod cli_health;
mod listener_drain;
mod listener_exchange;
mod listener_limits;
mod support;
mod support_self;
