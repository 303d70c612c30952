//! Capture requests: a query, and JSON behind its line.
//!
//! Whatever a request says, reading it does not panic. What is taken keeps to the bounds; what is refused says why,
//! in bounded length. The canonical request means the same picture as the one it came from, handed on as it is, by
//! query and by JSON, and so does its key. What is said to the cache changes no key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::capture::limits::Limits;
use tintype::capture::request::{CaptureRequest, Format};
use tintype::capture::{Canonical, Defaults};
use tintype_fuzz::first_line;

fuzz_target!(|input: &[u8]| {
    let (query, json) = first_line(input);
    let Ok(query) = std::str::from_utf8(query) else { return };
    let json = (!json.is_empty()).then_some(json);
    let canonical = Canonical::read(query, json, &Defaults::default());
    if let Some(canonical) = &canonical {
        has_one_key(query, json, canonical);
    }
    let limits = Limits::default();
    let request = match CaptureRequest::parse(query, json, &limits) {
        Ok(request) => request,
        Err(faults) => {
            assert!((1..=40).contains(&faults.len()), "{} faults", faults.len());
            let told = format!("{faults:?}").len();
            assert!(told < 100_000, "{told} bytes of faults");
            return;
        }
    };
    let view = &request.view;
    assert!((1..=limits.max_side).contains(&view.width) && (1..=limits.max_side).contains(&view.height));
    assert!(view.scale > 0.0 && view.scale <= limits.max_scale);
    assert!((1..=100).contains(&request.quality) && request.wait.delay <= limits.max_delay);
    let Some(canonical) = canonical else { return };
    let meant = seen(request);
    let means_it = |again: Result<CaptureRequest, _>, how: &str| match again {
        Ok(again) => assert_eq!(seen(again), meant, "{how}"),
        Err(faults) => panic!("{how}: {faults:?}"),
    };
    means_it(CaptureRequest::of(&canonical.parameters, &limits), "handed on");
    if let Some(query) = canonical.parameters.query() {
        means_it(CaptureRequest::parse(&query, None, &limits), &query);
    }
    means_it(CaptureRequest::parse("", Some(&canonical.parameters.json()), &limits), "by JSON");
});

fn has_one_key(query: &str, json: Option<&[u8]>, first: &Canonical) {
    let defaults = &Defaults::default();
    // cache_key is for the key alone, and the origin is not told.
    if !first.key.contains("cache_key") {
        if let Some(query) = first.parameters.query() {
            let again = Canonical::read(&query, None, defaults).expect("a canonical query is readable");
            assert_eq!(again.key, first.key, "by query: {query}");
        }
        if let Some(again) = Canonical::read("", Some(&first.parameters.json()), defaults) {
            assert_eq!(again.key, first.key, "by JSON");
        }
    }
    let wishful = format!("{query}&ttl=60&force=true&signature=x");
    if let Some(wishful) = Canonical::read(&wishful, json, defaults) {
        assert_eq!(wishful.key, first.key);
    }
}

/// What of it shows: a quality says nothing of a picture without loss, nor does the order of a set, in which nothing is there twice.
fn seen(mut spec: CaptureRequest) -> CaptureRequest {
    fn sort<T: std::fmt::Debug>(set: &mut Vec<T>) {
        set.sort_by_key(|member| format!("{member:?}"));
        set.dedup_by_key(|member| format!("{member:?}"));
    }
    sort(&mut spec.block.resources);
    sort(&mut spec.block.requests);
    sort(&mut spec.block.lists);
    sort(&mut spec.look.hide);
    sort(&mut spec.rules.statuses);
    sort(&mut spec.rules.content);
    for pairs in [&mut spec.visitor.headers, &mut spec.visitor.cookies] {
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs.dedup();
    }
    if spec.format == Format::Png {
        spec.quality = 80;
    }
    spec
}
