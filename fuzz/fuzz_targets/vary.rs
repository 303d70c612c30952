//! Selecting fields: lines of `Vary`, `---`, fields of one request, `---`, fields of another.
//!
//! `*` and what cannot be read select nothing that can be matched; requests with the same fields select the same variant; requests
//! that select the same variant have the same selecting fields, and the same value where nothing is known of the field's grammar.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::policy::vary::{Selecting, selecting, variant_key};
use tintype_fuzz::{fields, halves, values};

fuzz_target!(|input: &[u8]| {
    let (vary, requests) = halves(input);
    let (one, other) = halves(requests);
    let (one, other) = (fields(one), fields(other));
    let vary = values("vary", vary);
    let names = match selecting(&vary) {
        Selecting::All => return,
        Selecting::Nothing => {
            assert!(vary.values().all(|line| line.as_bytes().iter().all(|octet| b" \t,".contains(octet))));
            return;
        }
        Selecting::Fields(names) => names,
    };
    assert!(!names.is_empty() && names.iter().all(|name| name != "*"));
    assert!(names.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()), "sorted, each once");
    let alone = |line: &http::HeaderValue| line == "*";
    assert!(!vary.values().any(alone));

    let key = |request| variant_key(b"primary", &names, request);
    let (first, second) = (key(&one), key(&other));
    assert!(first.starts_with(b"primary\n"));
    assert_eq!(first, key(&one.clone()));
    let lines = |map: &http::HeaderMap, name| map.get_all(name).iter().cloned().collect::<Vec<_>>();
    let same = names.iter().all(|name| lines(&one, name) == lines(&other, name));
    if same {
        assert_eq!(first, second);
    }
    if first == second {
        for name in &names {
            assert_eq!(one.contains_key(name), other.contains_key(name), "{name}");
            if name.as_str().starts_with("x-") {
                let joined = |map| {
                    let lines = lines(map, name);
                    lines.iter().map(|line| line.as_bytes().trim_ascii()).collect::<Vec<_>>().join(&b", "[..])
                };
                assert_eq!(joined(&one), joined(&other), "{name}");
            }
        }
    }
});
