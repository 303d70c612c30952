//! Framing of HTTP/1.1 on both sides: the first octet says where the bytes are cut, the rest is what is heard.
//!
//! The verdict is the same however the bytes come, a longer text does not mend what is broken, and the strict reader here finds
//! requests and responses where the product does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::fuzzing::{requests, responses};
use tintype_fuzz::http1::{self, Read};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: o\r\n\r\n";
const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: o\r\n\r\n";

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let (first, second) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let whole = requests([bytes]);
    assert_eq!(requests([first, second]), whole);
    assert_eq!(requests(bytes.chunks(1)), whole);
    if requests([first]).is_err() {
        assert_eq!(requests([first]), whole);
    }
    if whole == Ok(true) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match http1::request(rest) {
                Read::Whole(_, length) => rest = &rest[length..],
                // Empty lines before a request that never came.
                Read::Partial if rest.iter().all(|octet| b"\r\n".contains(octet)) => break,
                other => panic!("{other:?}"),
            }
        }
    }
    for request in [GET, HEAD] {
        let whole = responses(request, 2000, [bytes]);
        let verdict = |found: &Result<(usize, bool, bool), String>| found.as_ref().err().cloned();
        for cut in [responses(request, 2000, [first, second]), responses(request, 2000, bytes.chunks(1))] {
            assert_eq!(verdict(&cut), verdict(&whole));
            if whole.is_ok() {
                assert_eq!(cut, whole);
            }
        }
    }
});
