//! Canonical capture keys: a query, and JSON behind its line.
//!
//! Whatever a request says, reading it does not panic; the canonical request means the same picture as the one it came from, by query and
//! by JSON; and what is said to the cache changes no key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::capture::{Canonical, Defaults};
use tintype_fuzz::first_line;

fuzz_target!(|input: &[u8]| {
    let (query, json) = first_line(input);
    let Ok(query) = std::str::from_utf8(query) else { return };
    let json = (!json.is_empty()).then_some(json);
    let defaults = &Defaults::default();
    let Some(first) = Canonical::read(query, json, defaults) else { return };
    // cache_key is for the key alone, and the origin is not told.
    if !first.key.contains("cache_key") {
        if let Some(query) = first.query() {
            let again = Canonical::read(&query, None, defaults).expect("a canonical query is readable");
            assert_eq!(again.key, first.key, "by query: {query}");
        }
        if let Some(again) = Canonical::read("", Some(&first.json()), defaults) {
            assert_eq!(again.key, first.key, "by JSON");
        }
    }
    let wishful = format!("{query}&ttl=60&force=true&signature=x");
    if let Some(wishful) = Canonical::read(&wishful, json, defaults) {
        assert_eq!(wishful.key, first.key);
    }
});
