//! The short way's reader: what it takes for a request without content is exactly one to the strict reader of the long way, and of the same
//! length; so the two agree on where the next request begins.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::fuzzing::requests;
use tintype::message::plain::{Begins, begins};

fuzz_target!(|input: &[u8]| {
    let length = match begins(input, 64) {
        Begins::Plain(plain, length) => {
            assert!(plain.target.starts_with('/'));
            assert_eq!(plain.head, &input[..length]);
            length
        }
        Begins::Bare(length) => length,
        Begins::Other => return,
    };
    let head = &input[..length];
    // One that the strict reader refuses goes nowhere.
    if let Ok(between) = requests([head]) {
        assert!(between, "content was announced");
        assert_eq!(requests([&head[..length - 1]]), Ok(false), "it ends with its last byte, no earlier");
    }
    // And what comes after it is not looked at.
    assert_eq!(begins(head, 64), begins(input, 64));
});
