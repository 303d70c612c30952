//! Integration tests: one binary, a file per behaviour. Each file opens with the rules it proves.

mod chrome_capture;
mod chrome_guard;
mod chrome_life;
mod chrome_site;
mod support;
