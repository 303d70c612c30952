//! Ranges: a length, then fields of a request, `---`, fields of the stored response.
//!
//! Every part lies within the body, none is empty, none overlaps another, so that no request gets more octets of a body than it has.

#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use tintype::policy::range::{Selected, select};
use tintype_fuzz::{fields, first_line, halves};

fuzz_target!(|input: &[u8]| {
    let (length, rest) = first_line(input);
    let Ok(length) = String::from_utf8_lossy(length).trim().parse::<u64>() else { return };
    let (request, response) = halves(rest);
    let (request, response) = (fields(request), fields(response));
    assert_eq!(select(&Method::HEAD, &request, &response, length), Selected::Whole);
    let mut parts = match select(&Method::GET, &request, &response, length) {
        Selected::Whole => return,
        Selected::Unsatisfiable => Vec::new(),
        Selected::Part(part) => vec![part],
        Selected::Parts(parts) => {
            assert!((2..=16).contains(&parts.len()));
            parts
        }
    };
    assert_eq!(request.get_all("range").iter().count(), 1);
    assert!(parts.iter().all(|part| part.start < part.end && part.end <= length), "{parts:?} of {length}");
    parts.sort_by_key(|part| part.start);
    assert!(parts.windows(2).all(|pair| pair[0].end <= pair[1].start), "{parts:?}");
});
