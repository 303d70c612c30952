//! proxy.toml: any text is a configuration or a list of problems, each of which can be shown with its place.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tintype::config::Config;

fuzz_target!(|input: &str| -> Corpus {
    // Whoever writes the configuration may name any file; some have no end.
    if input.contains("dev") || input.contains("proc") {
        return Corpus::Reject;
    }
    if let Err(problems) = Config::from_toml(input) {
        assert!(!problems.to_text(false).is_empty());
        assert!(!problems.to_text(true).is_empty());
    }
    Corpus::Keep
});
