//! Structured fields: fields of a response (`CDN-Cache-Control`, `Cache-Groups`, `Cache-Group-Invalidation`, `No-Vary-Search`), `---`, a
//! query.
//!
//! Lifetimes and groups are bounded, only an unsafe method invalidates, and the form that stands for all queries that are alike stands
//! for itself.

#![no_main]

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use tintype::policy::no_vary_search::Rule;
use tintype::policy::{groups, targeted};
use tintype_fuzz::{fields, halves};

fuzz_target!(|input: &[u8]| {
    let (response, query) = halves(input);
    let response = fields(response);
    let targets = [HeaderName::from_static("cdn-cache-control")];
    if let Some(all) = targeted::directives(&response, &targets) {
        assert!(response.contains_key(&targets[0]));
        for seconds in [all.max_age, all.s_maxage, all.stale_while_revalidate, all.stale_if_error] {
            assert!(seconds.is_none_or(|seconds| seconds <= Duration::from_secs(1 << 31)));
        }
    }
    let found = groups::of(&response);
    assert!(found.len() <= 64 && found.iter().all(|group| group.len() <= 256 && group.is_ascii()));
    assert!(groups::invalidated(&Method::GET, StatusCode::OK, &response).is_empty());
    assert!(groups::invalidated(&Method::POST, StatusCode::OK, &response).len() <= 64);
    if let (Some(rule), Ok(query)) = (Rule::of(&response), std::str::from_utf8(query)) {
        let canonical = rule.canonical(query);
        assert_eq!(rule.canonical(&canonical), canonical);
        assert!(!canonical.contains(['\r', '\n', ' ', '#']));
    }
});
