//! HTTP dates, in any case.
//!
//! What is read can be written, and reading that gives the same moment; every moment can be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tintype::clock::Timestamp;
use tintype::message::date;

/// 9999-12-31T23:59:59Z
const LAST: u64 = 253_402_300_799;

fuzz_target!(|input: &[u8]| {
    if let Some(moment) = date::parse(input) {
        let written = date::format(moment);
        assert_eq!(written.len(), 29);
        assert_eq!(date::parse(written.as_bytes()), Some(moment), "{written:?}");
        assert_eq!(date::parse(&input.to_ascii_lowercase()), Some(moment));
        assert_eq!(date::parse(&input.to_ascii_uppercase()), Some(moment));
    }
    if let Some(number) = input.first_chunk() {
        let moment = Timestamp(u64::from_le_bytes(*number));
        let seconds = moment.as_secs().min(LAST);
        assert_eq!(date::parse(date::format(moment).as_bytes()), Some(Timestamp::from_secs(seconds)));
    }
});
