//! Capture requests as the engine reads them: a query, and JSON behind its line.
//!
//! What is taken keeps to the bounds; what is refused says why, and how much it says is bounded; and the canonical request, which is the
//! key, asks the engine for the same picture as the request that it stands for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::origin::chrome::Limits;
use tintype::capture::request::{CaptureRequest, Format};
use tintype::capture::{Canonical, Defaults};
use tintype_fuzz::first_line;

fuzz_target!(|input: &[u8]| {
    let (query, json) = first_line(input);
    let Ok(query) = std::str::from_utf8(query) else { return };
    let json = (!json.is_empty()).then_some(json);
    let limits = Limits::default();
    let spec = match CaptureRequest::parse(query, json, &limits) {
        Ok(spec) => spec,
        Err(faults) => {
            assert!((1..=40).contains(&faults.len()), "{} faults", faults.len());
            let told = format!("{faults:?}").len();
            assert!(told < 100_000, "{told} bytes of faults");
            return;
        }
    };
    assert!(
        (1..=limits.max_side).contains(&spec.view.width) && (1..=limits.max_side).contains(&spec.view.height)
    );
    assert!(spec.view.scale > 0.0 && spec.view.scale <= limits.max_scale);
    assert!((1..=100).contains(&spec.quality) && spec.wait.delay <= limits.max_delay);
    let Some(canonical) = Canonical::read(query, json, &Defaults::default()) else { return };
    let meant = seen(spec);
    if let Some(query) = canonical.query() {
        match CaptureRequest::parse(&query, None, &limits) {
            Ok(again) => assert_eq!(seen(again), meant, "{query}"),
            Err(faults) => panic!("{query}: {faults:?}"),
        }
    }
    let json = canonical.json();
    match CaptureRequest::parse("", Some(&json), &limits) {
        Ok(again) => assert_eq!(seen(again), meant, "{json:?}"),
        Err(faults) => panic!("{json:?}: {faults:?}"),
    }
});

/// What of it shows: a quality says nothing of a picture without loss, nor does the order of a set, in which nothing is there twice.
fn seen(mut spec: CaptureRequest) -> CaptureRequest {
    fn sort<T: std::fmt::Debug>(set: &mut Vec<T>) {
        set.sort_by_key(|member| format!("{member:?}"));
        set.dedup_by_key(|member| format!("{member:?}"));
    }
    sort(&mut spec.block);
    sort(&mut spec.filters);
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
