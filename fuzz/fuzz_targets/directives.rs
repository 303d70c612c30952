//! Cache directives: one line of `Cache-Control` for each line of the input, of requests and of responses.
//!
//! They are read strictly: no lifetime is longer than the largest number that was written, and a further line forbids more, or
//! shortens, and never the other way round.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tintype::policy::directives::{Qualified, RequestDirectives, ResponseDirectives};
use tintype_fuzz::values;

fuzz_target!(|input: &[u8]| {
    let all = values("cache-control", input);
    let most = largest_number(input);
    let before = match input.iter().rposition(|&octet| octet == b'\n') {
        Some(at) => values("cache-control", &input[..at]),
        None => http::HeaderMap::new(),
    };

    let (a, b) = (ResponseDirectives::of(&before), ResponseDirectives::of(&all));
    for (a, b) in [
        (a.max_age, b.max_age),
        (a.s_maxage, b.s_maxage),
        (a.stale_while_revalidate, b.stale_while_revalidate),
        (a.stale_if_error, b.stale_if_error),
    ] {
        assert!(b.is_none_or(|seconds| seconds <= most), "{b:?} was not written");
        assert!(a.is_none_or(|a| b.is_some_and(|b| b <= a)), "{a:?} became {b:?}");
    }
    for (a, b) in [
        (a.no_store, b.no_store),
        (a.must_revalidate, b.must_revalidate),
        (a.proxy_revalidate, b.proxy_revalidate),
        (a.must_understand, b.must_understand),
    ] {
        assert!(!a || b);
    }
    for (a, b) in [(&a.no_cache, &b.no_cache), (&a.private, &b.private)] {
        assert!(is_as_strict(b, a), "{a:?} became {b:?}");
    }
    assert!(!b.targeted);

    let (a, b) = (RequestDirectives::of(&before), RequestDirectives::of(&all));
    assert!(a.max_age.is_none_or(|a| b.max_age.is_some_and(|b| b <= a)));
    assert!(a.min_fresh.is_none_or(|a| b.min_fresh.is_some_and(|b| b >= a)));
    assert!(a.max_stale.is_none_or(|a| b.max_stale.is_some_and(|b| b <= a)));
    assert!(b.max_age.is_none_or(|seconds| seconds <= most));
    assert!(b.max_stale.is_none_or(|seconds| seconds <= most || seconds == Duration::MAX));
    assert!((!a.no_cache || b.no_cache) && (!a.no_store || b.no_store));
    assert!(!a.only_if_cached || b.only_if_cached);
});

/// The largest number in `text`, with and without backslashes.
fn largest_number(text: &[u8]) -> Duration {
    let (mut largest, mut number) = (0_u64, 0_u64);
    for octet in text.iter().filter(|&&octet| octet != b'\\') {
        number = match octet {
            b'0'..=b'9' => number.saturating_mul(10).saturating_add(u64::from(octet - b'0')),
            _ => 0,
        };
        largest = largest.max(number);
    }
    Duration::from_secs(largest)
}

fn is_as_strict(now: &Qualified, before: &Qualified) -> bool {
    match (before, now) {
        (Qualified::Absent, _) | (_, Qualified::Whole) => true,
        (Qualified::Fields(before), Qualified::Fields(now)) => before.iter().all(|name| now.contains(name)),
        _ => false,
    }
}
