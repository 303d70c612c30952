//! Dialects of other services: lines that say which, and the path; then the query; behind it JSON or a form.
//!
//! Whatever a request says, reading it does not panic; the canonical request that comes of it means the same picture when it is read in our
//! own dialect, so that it shares its key with whoever asks so; the link to it means it again in the same dialect; and what the service
//! itself would be sent means the same as what came.

#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use tintype::capture::dialect::{self, Asked, Content, Meaning, RouteDialect};
use tintype::capture::{Canonical, Defaults};
use tintype_fuzz::first_line;

fuzz_target!(|input: &[u8]| {
    let (which, rest) = first_line(input);
    let (path, rest) = first_line(rest);
    let (query, body) = first_line(rest);
    let (Ok(path), Ok(query)) = (std::str::from_utf8(path), std::str::from_utf8(query)) else { return };
    let Some(dialect) = dialect::ALL.into_iter().find(|dialect| which.starts_with(dialect.name().as_bytes()))
    else {
        return;
    };
    if path.contains('?') {
        return;
    }
    let content = match body {
        [] => Content::Nothing,
        body if which.ends_with(b"form") => Content::Form(body),
        body => Content::Json(body),
    };
    let fields = HeaderMap::new();
    for remote in [false, true] {
        let spoken = RouteDialect { dialect, remote, defaults: Defaults::default() };
        let read = |path: &str, query: &str, content| {
            dialect::read(&spoken, &Asked { path, query, fields: &fields, content })
        };
        let Meaning::Picture(first) = read(path, query, content) else { continue };
        if !remote && !first.canonical.key.contains("cache_key") {
            if let Some(query) = first.canonical.parameters.query() {
                let again =
                    Canonical::read(&query, None, &spoken.defaults).expect("a canonical query is readable");
                assert_eq!(again.key, first.canonical.key, "{}: {query}", dialect.name());
            }
        }
        let Some(link) = first.link else {
            assert!(dialect.has_signed_paths(), "a link: no fields were given");
            continue;
        };
        let (path, query) = link.split_once('?').expect("a query");
        let Meaning::Picture(again) = read(path, query, Content::Nothing) else {
            panic!("{}: the link {link} means something else", dialect.name());
        };
        assert_eq!(again.canonical.key, first.canonical.key, "{}: {}", dialect.name(), link);
    }
});
