//! Canonical capture keys: `cargo fuzz run -s none capture_key` (stable toolchain).
//!
//! Whatever a request says, reading it does not panic; the canonical request means the same picture as the one it came from, by query and
//! by JSON; and what is said to the cache changes no key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::policy::capture::{Canonical, Defaults};

fuzz_target!(|input: (&str, Option<&[u8]>)| {
    let (query, json) = input;
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
