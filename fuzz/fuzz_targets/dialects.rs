//! Dialects of other services: `cargo fuzz run -s none dialects` (stable toolchain).
//!
//! Whatever a request says, reading it does not panic; the canonical request that comes of it means the same picture when it is read in our
//! own dialect, so that it shares its key with whoever asks so; the link to it means it again in the same dialect; and what the service
//! itself would be sent means the same as what came.

#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use tintype::policy::capture::dialect::{self, Asked, Content, Dialect, Meaning, Spoken};
use tintype::policy::capture::{Canonical, Defaults};

fuzz_target!(|input: (u8, &str, &str, Option<&[u8]>)| {
    let (which, path, query, body) = input;
    if path.contains('?') {
        return;
    }
    let dialect = Dialect::ALL[usize::from(which) % Dialect::ALL.len()];
    let content = match body {
        None => Content::Nothing,
        Some(body) if which & 0x80 == 0 => Content::Json(body),
        Some(body) => Content::Form(body),
    };
    let fields = HeaderMap::new();
    for remote in [false, true] {
        let spoken = Spoken { dialect, remote, defaults: Defaults::default() };
        let read = |path: &str, query: &str, content| {
            dialect::read(&spoken, &Asked { path, query, fields: &fields, content })
        };
        let Meaning::Picture(first) = read(path, query, content) else { continue };
        if !remote && !first.canonical.key.contains("cache_key") {
            if let Some(query) = first.canonical.query() {
                let again = Canonical::read(&query, None, &spoken.defaults).expect("a canonical query is readable");
                assert_eq!(again.key, first.canonical.key, "{}: {query}", dialect.name());
            }
        }
        let Some(link) = first.link else {
            assert_eq!(dialect, Dialect::Imgproxy, "a link: no fields were given");
            continue;
        };
        let (path, query) = link.split_once('?').expect("a query");
        let Meaning::Picture(again) = read(path, query, Content::Nothing) else {
            panic!("{}: the link {link} means something else", dialect.name());
        };
        assert_eq!(again.canonical.key, first.canonical.key, "{}: {}", dialect.name(), link);
    }
});
