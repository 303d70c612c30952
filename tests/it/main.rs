//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.

mod cli_check;
mod cli_health;
mod licences;
mod support;
