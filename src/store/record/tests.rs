use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::policy::rules::adaptive::History;
use crate::policy::rules::ruling::Ruling;
use crate::policy::stored::Variant;

fn fields() -> impl Strategy<Value = HeaderMap> {
    let line = ("[a-z][a-z0-9-]{0,12}", proptest::collection::vec(0x20_u8..0x7f, 0..40));
    proptest::collection::vec(line, 0..12).prop_map(|lines| {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            fields.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        fields
    })
}

fn response() -> impl Strategy<Value = Content> {
    let times = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>());
    let body = proptest::collection::vec(any::<u8>(), 0..300);
    (100_u16..600, fields(), times, any::<(bool, bool, bool)>(), body).prop_map(
        |(status, fields, (asked, answered, age, lifetime), (no_cache, must, own), body)| Content::Response {
            head: Arc::new(StoredResponse {
                status: StatusCode::from_u16(status).unwrap(),
                fields,
                request_time: Timestamp(asked),
                response_time: Timestamp(answered),
                initial_age: Duration::from_millis(age.into()),
                lifetime: Duration::from_secs(lifetime.into()),
                stale_while_revalidate: Duration::from_secs(age.into()),
                stale_if_error: Duration::MAX,

                stale_when_disconnected: Duration::from_secs(86_400),
                no_cache,
                must_revalidate: must,
                immutable: true,
                own_entity_tag: own,
                cost: Duration::from_nanos(lifetime.into()),
                ruling: own.then(|| {
                    let cache_control = HeaderValue::from(lifetime);
                    Box::new(Ruling { told: "rule=docs over no-store".into(), cache_control })
                }),
                history: no_cache
                    .then(|| Box::new(History::default().with(Duration::from_secs(answered.max(1)), must))),
            }),
            body: body.into(),
        },
    )
}

fn variants() -> impl Strategy<Value = Content> {
    let key = proptest::collection::vec(any::<u8>(), 0..40);
    let variant = (key, proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)))
        .prop_map(|(key, entity_tag)| Variant { key, entity_tag });
    (proptest::collection::vec("[a-z-]{1,10}", 0..4), proptest::collection::vec(variant, 0..6))
        .prop_map(|(selecting, variants)| Content::Variants(VariantIndex { selecting, variants }))
}

fn record() -> impl Strategy<Value = Record> {
    let handles = proptest::collection::vec(any::<u64>().prop_map(Handle), 0..5);
    (any::<u64>(), handles, prop_oneof![response(), variants()])
        .prop_map(|(sequence, handles, content)| Record::new(sequence, handles, content))
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = record.encode_head().unwrap();
    bytes.extend_from_slice(record.body());
    bytes
}

proptest! {
    #[test]
    fn what_was_encoded_comes_back(record in record()) {
        prop_assert_eq!(Record::decode(encoded(&record).into()), Ok(record));
    }

    #[test]
    fn every_change_before_the_body_is_noticed(record in record(), at in any::<usize>(), change in 1_u8..) {
        let mut bytes = record.encode_head().unwrap();
        let at = at % bytes.len();
        bytes[at] ^= change;
        bytes.extend_from_slice(record.body());
        prop_assert!(Record::decode(bytes.into()).is_err());
    }

    #[test]
    fn every_other_length_is_noticed(record in record(), cut in any::<usize>(), more in 1_usize..9) {
        let whole = encoded(&record);
        let cut = cut % whole.len();
        prop_assert!(Record::decode(Bytes::copy_from_slice(&whole[..cut])).is_err());
        let mut long = whole;
        long.resize(long.len() + more, 0);
        prop_assert_eq!(Record::decode(long.into()), Err(DecodeError::Length));
    }

    #[test]
    fn any_head_with_a_right_checksum_is_read_or_refused(
        kind in 0_u8..3,
        head in proptest::collection::vec(any::<u8>(), 0..400),
        body in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let _ = Record::decode(forged(kind, &head, &body));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Record::decode(bytes.into()).is_err());
    }
}

#[test]
fn hostile_heads_neither_panic_nor_allocate_what_they_claim() {
    // Sequence 1, no handles, an unknown request, status 200, then a field list that claims to be
    // huge or has only empty lines.
    let start = [1, 0, 0, 0, 0xc8, 0x01];
    let claims_much = [&start[..], &[0xff; 9], &[0x01]].concat();
    let mut empty_lines = start.to_vec();
    empty_lines.extend_from_slice(&[0x80, 0x90, 0x01]); // 18,432 lines
    empty_lines.resize(MAX_RESPONSE_HEAD, 0);
    let many_handles = [&[1][..], &[0xff; 9], &[0x01]].concat();
    for head in [claims_much, empty_lines, many_handles] {
        for kind in [RESPONSE, VARIANTS] {
            assert_eq!(Record::decode(forged(kind, &head, b"")), Err(DecodeError::Head));
        }
    }
}

#[test]
fn causes_are_told_apart() {
    let record = Record::new(7, vec![Handle(1)], Content::Variants(VariantIndex::default()));
    let whole = encoded(&record);
    let with = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        Record::decode(bytes.into()).unwrap_err()
    };
    assert_eq!(Record::decode(Bytes::new()), Err(DecodeError::Short));
    assert_eq!(with(0, b'T'), DecodeError::Magic);
    assert_eq!(with(4, 9), DecodeError::Version(9));
    assert_eq!(with(6, 9), DecodeError::Kind(9));
    assert_eq!(with(8, 0xff), DecodeError::Length);
    assert_eq!(with(15, 0xff), DecodeError::Length);
    assert_eq!(with(23, 0xff), DecodeError::Length);
    assert_eq!(with(24, !whole[24]), DecodeError::Checksum);
    let head = &whole[PREAMBLE..];
    assert_eq!(Record::decode(forged(VARIANTS, head, b"x")), Err(DecodeError::Length));
    assert_eq!(Record::decode(forged(VARIANTS, &[head, &[0]].concat(), b"")), Err(DecodeError::Head));
}

#[test]
fn a_head_beyond_its_bound_is_not_written() {
    let long = VariantIndex { selecting: vec!["x".repeat(MAX_VARIANTS_HEAD)], variants: vec![] };
    let record = Record::new(1, vec![], Content::Variants(long));
    assert!(matches!(record.encode_head(), Err(EncodeError::HeadTooLong { .. })));
}
