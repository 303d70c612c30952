//! The record on disk: any bytes, and any head and body in a record whose lengths and checksum are right (the first octet says which).
//!
//! They are read or refused; what is read has a form that is read as the same again, weighs something, and can be asked for its
//! age at any moment.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tintype::clock::Timestamp;
use tintype::store::record::{Content, Record};

fuzz_target!(|input: &[u8]| {
    let Some((&which, rest)) = input.split_first() else { return };
    let bytes = if which & 0x80 != 0 {
        Bytes::copy_from_slice(rest)
    } else {
        let body = rest.len().min(usize::from(which >> 1));
        let (body, head) = rest.split_at(body);
        tintype::fuzzing::record(which & 1, head, body)
    };
    let Ok(record) = Record::decode(bytes) else { return };
    assert!(record.weight() >= record.body().len());
    if let Content::Response { head, .. } = &record.content {
        for now in [0, 1 << 40, u64::MAX] {
            let _ = (head.current_age(Timestamp(now)), head.staleness(Timestamp(now)));
        }
        let _ = head.fresh_until();
    }
    // One that is longer when it is written by us than it came may be too long.
    let Ok(mut written) = record.encode_head() else { return };
    written.extend_from_slice(record.body());
    assert_eq!(Record::decode(written.into()).as_ref(), Ok(&record));
});
