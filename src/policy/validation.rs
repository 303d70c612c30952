//! Validation of stored responses with the origin: the conditional request, and the effect of its
//! response (RFC 9111 section 4.3).

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::admission::{self, NOT_UPDATED, RequestFacts, Terms};
use super::freshness;
use super::stored::{StoredResponse, Variant};
use super::targeted;
use crate::clock::Timestamp;
use crate::message::entity_tag::EntityTag;
use crate::message::{date, fields};

/// The conditional fields to validate `stored`: its entity tag and its modification date, as far as
/// it has them (RFC 9111 section 4.3.1). An entity tag that was generated here is not sent, as the
/// origin does not know it. Empty if there is no validator.
pub fn conditions(stored: &StoredResponse) -> Vec<(HeaderName, HeaderValue)> {
    let mut conditions = Vec::with_capacity(2);
    if !stored.own_entity_tag
        && EntityTag::of(&stored.fields).is_some()
        && let Some(tag) = stored.fields.get(header::ETAG)
    {
        conditions.push((header::IF_NONE_MATCH, tag.clone()));
    }
    if date::of_field(&stored.fields, &header::LAST_MODIFIED).is_some()
        && let Some(modified) = stored.fields.get(header::LAST_MODIFIED)
    {
        conditions.push((header::IF_MODIFIED_SINCE, modified.clone()));
    }
    conditions
}

/// Limit on the entity tags of other variants in one request.
const MAX_OFFERED_TAGS: usize = 16;
/// Limit in bytes on `If-None-Match`: origins reject requests with long fields.
const MAX_OFFER_BYTES: usize = 2048;

/// The condition of a request for a variant that is not stored: the entity tags of the stored
/// variants, so that the origin can name the one to use (RFC 9111 section 4.1). Malformed tags are
/// left out. Empty if no variant has a tag of the origin.
pub fn offer(variants: &[Variant]) -> Vec<(HeaderName, HeaderValue)> {
    let known = variants.iter().filter_map(|variant| variant.entity_tag.as_deref());
    let mut tags: Vec<&[u8]> = known.filter(|tag| EntityTag::parse(tag).is_some()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags.truncate(MAX_OFFERED_TAGS);
    let mut length = 0;
    tags.retain(|tag| {
        let longer = length + tag.len() + 2;
        let fits = longer <= MAX_OFFER_BYTES;
        length = if fits { longer } else { length };
        fits
    });
    match HeaderValue::from_bytes(&tags.join(&b", "[..])) {
        Ok(all) if !tags.is_empty() => vec![(header::IF_NONE_MATCH, all)],
        _ => Vec::new(),
    }
}

/// The variant that a 304 selects: by its entity tag (RFC 9111 section 4.3.4), or the only one that
/// was offered.
pub fn chosen<'a>(variants: &'a [Variant], not_modified: &HeaderMap) -> Option<&'a Variant> {
    let mut tagged = variants.iter().filter_map(|variant| {
        let tag = variant.entity_tag.as_deref().and_then(EntityTag::parse)?;
        Some((variant, tag))
    });
    if not_modified.contains_key(header::ETAG) {
        let said = EntityTag::of(not_modified)?;
        return tagged.find(|(_, tag)| tag.weak_eq(said)).map(|(variant, _)| variant);
    }
    let (only, tag) = tagged.next()?;
    tagged.all(|(_, other)| other == tag).then_some(only)
}

/// How the 200 response to a HEAD request compares with the stored GET response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSays {
    /// The representation is the same; the fields of the HEAD response freshen it.
    Same,
    /// The representation differs; the stored response becomes stale.
    Other,
}

/// Compares the validators, length and digests of a HEAD response with the stored response, whose
/// body has `length` octets (RFC 9111 section 4.3.5).
pub fn by_head(stored: &StoredResponse, length: u64, head: &HeaderMap) -> HeadSays {
    // The origin does not know an entity tag that was generated here. A malformed tag differs from
    // a valid one.
    let known = EntityTag::of(&stored.fields).filter(|_| !stored.own_entity_tag);
    let tag_differs = match (EntityTag::of(head), known) {
        (Some(said), Some(known)) => said != known,
        (None, Some(_)) => head.contains_key(header::ETAG),
        (said, None) => said.is_some(),
    };
    let date_differs = head.contains_key(header::LAST_MODIFIED) && !same_modification(&stored.fields, head);
    let length_differs = fields::list(head, &header::CONTENT_LENGTH).any(|said| !is_number(said, length));
    // A 200 differs from a stored error.
    let status_differs = stored.status != StatusCode::OK;
    let digest_differs = digests_differ(&stored.fields, head);
    if status_differs || tag_differs || date_differs || length_differs || digest_differs {
        HeadSays::Other
    } else {
        HeadSays::Same
    }
}

/// Adds to a HEAD response that confirms `stored` the fields that only the stored response has. An
/// origin may omit from a HEAD response what it determines while it generates content (RFC 9110
/// section 9.3.2).
pub fn complete(head: &mut HeaderMap, stored: &StoredResponse) {
    let missing: Vec<_> = stored
        .fields
        .iter()
        .filter(|(name, _)| !head.contains_key(*name) && *name != header::SET_COOKIE)
        .collect();
    for (name, value) in missing {
        head.append(name.clone(), value.clone());
    }
}

/// Whether both have the same modification time, in whatever date format.
fn same_modification(a: &HeaderMap, b: &HeaderMap) -> bool {
    let name = &header::LAST_MODIFIED;
    match (date::of_field(a, name), date::of_field(b, name)) {
        (Some(a), Some(b)) => a == b,
        _ => a.get_all(name) == b.get_all(name),
    }
}

fn is_number(text: &[u8], number: u64) -> bool {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()) == Some(number)
}

/// The fields with digests of the whole representation, which HEAD responses and 304s may have too
/// (RFC 2616 section 14.15, RFC 3230, RFC 9530 section 3). `Content-Digest` is excluded: in a 304
/// it is the digest of empty content.
const DIGESTS: [HeaderName; 3] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Whether both have a digest by the same algorithm and the digests differ. The representations are
/// then different, whatever the entity tag is.
fn digests_differ(stored: &HeaderMap, said: &HeaderMap) -> bool {
    DIGESTS.iter().any(|name| {
        fields::list(said, name).map(digest).any(|(algorithm, value)| {
            fields::list(stored, name)
                .map(digest)
                .any(|(other, known)| other.eq_ignore_ascii_case(algorithm) && known != value)
        })
    })
}

/// Splits a digest into algorithm and value. `Content-MD5` is only a value, which may end in `=`.
fn digest(member: &[u8]) -> (&[u8], &[u8]) {
    let at = member.iter().position(|&b| b == b'=').filter(|&at| !member[at..].iter().all(|&b| b == b'='));
    match at {
        Some(at) => (member[..at].trim_ascii(), member[at + 1..].trim_ascii()),
        None => (b"", member),
    }
}

/// Whether a 304 with these fields confirms `stored` (RFC 9111 section 4.3.4). A strong tag must
/// match strongly, a weak tag weakly, and a modification date must be equal. A 304 without
/// validators confirms the response that was validated.
///
/// A 304 with a different digest, or with a malformed tag in place of a known one, does not
/// confirm.
pub fn confirms(stored: &StoredResponse, not_modified: &HeaderMap) -> bool {
    if digests_differ(&stored.fields, not_modified) {
        return false;
    }
    let said = EntityTag::of(not_modified);
    // The origin cannot confirm an entity tag that was generated here.
    let known = EntityTag::of(&stored.fields).filter(|_| !stored.own_entity_tag);
    match (said, known) {
        (Some(said), Some(known)) if said.weak => return known.weak_eq(said),
        (Some(said), Some(known)) => return known.strong_eq(said),
        (Some(said), None) if !said.weak => return false,
        (None, Some(_)) if not_modified.contains_key(header::ETAG) => return false,
        _ => {}
    }
    match date::of_field(not_modified, &header::LAST_MODIFIED) {
        Some(date) => date::of_field(&stored.fields, &header::LAST_MODIFIED) == Some(date),
        None => said.is_none(),
    }
}

/// The head of `stored`, freshened by a 304 (RFC 9111 sections 3.2 and 4.3.4).
///
/// Each field of the 304 replaces all lines of that name, except hop-by-hop fields and those that
/// describe the stored body. Lifetime and age are computed anew.
///
/// # Errors
/// The freshened response, if it may no longer be stored: the 304 has `no-store` or `private`.
pub fn freshen(
    stored: &StoredResponse,
    not_modified: &HeaderMap,
    request: &HeaderMap,
    sent: Timestamp,
    received: Timestamp,
    terms: &Terms,
) -> Result<StoredResponse, Box<StoredResponse>> {
    let mut update = not_modified.clone();
    fields::remove_hop_by_hop(&mut update);
    for name in NOT_UPDATED {
        update.remove(name);
    }
    if stored.own_entity_tag {
        // An entity tag generated here identifies the stored bytes. Another tag would break the
        // validation of clients that have it.
        update.remove(header::ETAG);
    }
    let mut merged = stored.fields.clone();
    for name in update.keys() {
        merged.remove(name);
    }
    // The age of a 304 without `Age` counts from its own request, not from the stored response.
    for (name, value) in &update {
        merged.append(name, value.clone());
    }
    // A 304 is a look without a change.
    let terms = &*terms.having_seen(stored, false, &merged, sent, received);
    let facts = RequestFacts { method: &Method::GET, fields: request, sent };
    let status = if stored.status == StatusCode::NOT_MODIFIED { StatusCode::OK } else { stored.status };
    match admission::admit(facts, status, &merged, received, terms) {
        Ok(head) => Ok(StoredResponse { own_entity_tag: stored.own_entity_tag, cost: stored.cost, ..head }),
        Err(_) => {
            let initial_age = freshness::initial_age(&merged, sent, received);
            let directives = targeted::for_cache(&merged, &terms.targeted);
            let (lifetime, _) = freshness::lifetime(status, &merged, &directives, received);
            admission::strip(&mut merged);
            Err(Box::new(StoredResponse {
                fields: merged,
                response_time: received,
                request_time: sent,
                initial_age,
                lifetime,
                ruling: None,
                ..stored.clone()
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::stored;
    use super::*;
    use crate::message::fields::lines as fields;
    use std::time::Duration;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    /// RFC 9111 section 4.3.1.
    #[test]
    fn validation_sends_both_validators_but_no_own_tag() {
        let (mut head, _) = stored(&[("etag", "\"a\""), ("last-modified", OLD)]);
        let names = |head: &StoredResponse| conditions(head).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(names(&head), [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE]);
        head.own_entity_tag = true;
        assert_eq!(names(&head), [header::IF_MODIFIED_SINCE]);
    }

    /// RFC 9111 section 4.1.
    #[test]
    fn variant_miss_offers_tags_of_other_variants() {
        let variant = |key: &str, tag: Option<&str>| Variant {
            key: key.into(),
            entity_tag: tag.map(|tag| tag.as_bytes().to_vec()),
        };
        let variants = [
            variant("1", Some("\"a\"")),
            variant("2", None),
            variant("3", Some("W/\"b\"")),
            variant("4", Some("\"a\"")),
        ];
        let offered = offer(&variants);
        assert_eq!(offered, [(header::IF_NONE_MATCH, HeaderValue::from_static("\"a\", W/\"b\""))]);
        assert!(offer(&variants[1..2]).is_empty());
        // A malformed tag would invalidate the list, and a long list the request.
        assert!(offer(&[variant("5", Some("*")), variant("6", Some("a"))]).is_empty());
        let long: Vec<Variant> =
            (0..9).map(|i| variant("7", Some(&format!("\"{}{i}\"", "x".repeat(1000))))).collect();
        assert!(offer(&long)[0].1.len() <= MAX_OFFER_BYTES);
        let key = |tag| chosen(&variants, &fields(&[("etag", tag)])).map(|variant| variant.key.as_slice());
        assert_eq!(key("\"b\""), Some(&b"3"[..]));
        assert_eq!(key("\"a\""), Some(&b"1"[..]));
        assert_eq!(key("\"c\""), None);
        assert!(chosen(&variants, &HeaderMap::new()).is_none());
        let only = chosen(&variants[..2], &HeaderMap::new()).map(|variant| variant.key.as_slice());
        assert_eq!(only, Some(&b"1"[..]));
    }

    /// RFC 9111 section 4.3.5.
    #[test]
    fn head_response_confirms_or_contradicts_stored_get() {
        let kept = [("etag", "\"a\""), ("last-modified", OLD), ("content-md5", "rL0Y20zC+Fzt72VPzMSk2A==")];
        for (said, expected) in [
            (vec![], HeadSays::Same),
            (vec![("etag", "\"a\""), ("last-modified", OLD), ("content-length", "5")], HeadSays::Same),
            (vec![("etag", "\"b\"")], HeadSays::Other),
            (vec![("etag", "W/\"a\"")], HeadSays::Other),
            (vec![("last-modified", NEW)], HeadSays::Other),
            (vec![("content-length", "6")], HeadSays::Other),
            (vec![("content-length", "05")], HeadSays::Same),
            (vec![("content-length", "+5")], HeadSays::Other),
            (vec![("content-length", "5, 6")], HeadSays::Other),
            (vec![("last-modified", "Sunday, 06-Nov-94 08:49:37 GMT")], HeadSays::Same),
            (vec![("last-modified", "Sun Nov  6 08:49:37 1994")], HeadSays::Same),
            (vec![("last-modified", "Sun Nov  6 08:49:38 1994")], HeadSays::Other),
            (vec![("last-modified", "yesterday")], HeadSays::Other),
            (vec![("etag", "b")], HeadSays::Other),
            (vec![("etag", "\"a\""), ("etag", "\"b\"")], HeadSays::Other),
            (vec![("etag", "\"a\""), ("content-md5", "rL0Y20zC+Fzt72VPzMSk2A==")], HeadSays::Same),
            (vec![("etag", "\"a\""), ("content-md5", "N7UdGUp1E+RbVvZSTy1R8g==")], HeadSays::Other),
        ] {
            let (head, _) = stored(&kept);
            assert_eq!(by_head(&head, 5, &fields(&said)), expected, "{said:?}");
        }
        // With only a generated tag stored, a tag of the origin cannot match.
        let (mut head, _) = stored(&[("etag", "\"ours\"")]);
        head.own_entity_tag = true;
        for (said, expected) in [("\"ours\"", HeadSays::Other), ("unquoted", HeadSays::Same)] {
            assert_eq!(by_head(&head, 5, &fields(&[("etag", said)])), expected, "{said}");
        }
    }

    /// RFC 9110 section 9.3.2.
    #[test]
    fn confirming_head_response_gets_missing_fields() {
        let (mut head, _) = stored(&[("x-a", "1"), ("x-a", "2"), ("x-b", "1"), ("etag", "\"a\"")]);
        // The cookie of another client must not be sent to this one.
        head.fields.append(header::SET_COOKIE, HeaderValue::from_static("a=b"));
        let mut said = fields(&[("x-b", "2"), ("x-c", "1")]);
        complete(&mut said, &head);
        let mut lines: Vec<_> = said.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap_or(""))).collect();
        lines.sort_unstable();
        assert_eq!(lines, [("etag", "\"a\""), ("x-a", "1"), ("x-a", "2"), ("x-b", "2"), ("x-c", "1")]);
    }

    /// RFC 9111 section 4.3.4.
    #[test]
    fn not_modified_with_other_validator_is_refused() {
        for (kept, said, expected) in [
            (vec![("etag", "\"a\"")], vec![("etag", "\"a\"")], true),
            (vec![("etag", "\"a\"")], vec![("etag", "\"b\"")], false),
            (vec![("etag", "\"a\"")], vec![("etag", "W/\"a\"")], true),
            (vec![("etag", "W/\"a\"")], vec![("etag", "\"a\"")], false),
            (vec![("etag", "W/\"a\"")], vec![("etag", "W/\"a\"")], true),
            (vec![("etag", "\"a\"")], vec![], true),
            (vec![("last-modified", OLD)], vec![("last-modified", OLD)], true),
            (vec![("last-modified", OLD)], vec![("last-modified", NEW)], false),
            (vec![("last-modified", OLD)], vec![("etag", "\"a\""), ("last-modified", OLD)], false),
            (vec![("last-modified", OLD)], vec![("etag", "W/\"a\""), ("last-modified", OLD)], true),
            (vec![("last-modified", OLD)], vec![("etag", "W/\"a\""), ("last-modified", NEW)], false),
            (vec![("last-modified", OLD)], vec![("etag", "W/\"a\"")], false),
            (vec![("last-modified", OLD)], vec![("last-modified", "Sun Nov  6 08:49:37 1994")], true),
            (vec![("last-modified", OLD)], vec![("etag", "unquoted"), ("last-modified", OLD)], true),
            (vec![("etag", "\"a\"")], vec![("etag", "b")], false),
            (vec![("etag", "\"a\"")], vec![("etag", "\"a\""), ("etag", "\"b\"")], false),
        ] {
            let (mut head, _) = stored(&kept);
            assert_eq!(confirms(&head, &fields(&said)), expected, "{kept:?} {said:?}");
            if !head.fields.contains_key(header::ETAG) {
                head.fields.insert(header::ETAG, HeaderValue::from_static("\"ours\""));
                head.own_entity_tag = true;
                assert_eq!(confirms(&head, &fields(&said)), expected, "own tag: {kept:?} {said:?}");
            }
        }
    }

    /// RFC 9111 section 4.3.4: another digest means another representation.
    #[test]
    fn not_modified_with_other_digest_is_refused() {
        const TAG: (&str, &str) = ("etag", "\"a\"");
        const MD5: &str = "content-md5";
        for (kept, said, expected) in [
            ((MD5, "rL0Y20zC+Fzt72VPzMSk2A=="), (MD5, "rL0Y20zC+Fzt72VPzMSk2A=="), true),
            ((MD5, "rL0Y20zC+Fzt72VPzMSk2A=="), (MD5, "N7UdGUp1E+RbVvZSTy1R8g=="), false),
            ((MD5, "rL0Y20zC+Fzt72VPzMSk2A=="), ("x-other", "1"), true),
            (("x-other", "1"), (MD5, "N7UdGUp1E+RbVvZSTy1R8g=="), true),
            (("repr-digest", "sha-256=:YQ==:"), ("repr-digest", "sha-512=:Yg==:"), true),
            (("repr-digest", "sha-256=:YQ==:"), ("repr-digest", "sha-512=:Yg==:,sha-256=:YQ==:"), true),
            (("repr-digest", "sha-256=:YQ==:"), ("repr-digest", "sha-512=:Yg==:, sha-256=:Yw==:"), false),
            (("digest", "SHA-256=YQ=="), ("digest", "sha-256=YQ=="), true),
            (("digest", "SHA-256=YQ=="), ("digest", "sha-256=Yg=="), false),
            // In a 304, this is the digest of empty content (RFC 9530 section 2).
            (("content-digest", "sha-256=:YQ==:"), ("content-digest", "sha-256=:Yg==:"), true),
        ] {
            let (head, _) = stored(&[TAG, kept]);
            assert_eq!(confirms(&head, &fields(&[TAG, said])), expected, "{kept:?} {said:?}");
            assert_eq!(confirms(&head, &fields(&[said])), expected, "without tag: {kept:?} {said:?}");
        }
    }

    /// RFC 9111 section 3.2.
    #[test]
    fn freshening_replaces_fields_except_body_fields() {
        let (head, start) = stored(&[
            ("etag", "\"a\""),
            ("cache-control", "max-age=10"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("x-kept", "1"),
            ("content-length", "5"),
            ("content-type", "image/png"),
            ("content-encoding", "gzip"),
        ]);
        let later = start + Duration::from_secs(60);
        let said = fields(&[
            ("cache-control", "max-age=30"),
            ("x-many", "3"),
            ("content-length", "0"),
            ("content-type", "text/plain"),
            ("content-encoding", "br"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
        ]);
        let fresh =
            freshen(&head, &said, &HeaderMap::new(), later, later, &Terms::default()).expect("storable");
        let lines = |name: &str| {
            fresh.fields.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(lines("x-many"), "3");
        assert_eq!(lines("x-kept"), "1");
        assert_eq!(lines("content-length"), "5");
        assert_eq!(lines("content-type"), "text/plain");
        assert_eq!(lines("content-encoding"), "gzip");
        assert_eq!(lines("x-hop"), "");
        assert_eq!(fresh.fresh_until(), later + Duration::from_secs(30));
    }

    /// A response that may be used only once has the freshness that the 304 gives, not its former
    /// one.
    #[test]
    fn freshening_not_storable_computes_lifetime_anew() {
        let (head, start) = stored(&[("etag", "\"a\""), ("cache-control", "max-age=500")]);
        let said = fields(&[("cache-control", "private, max-age=60")]);
        let terms = Terms::default();
        let once =
            freshen(&head, &said, &HeaderMap::new(), start, start, &terms).expect_err("not for storing");
        assert_eq!(once.lifetime, Duration::from_secs(60));
    }

    #[test]
    fn not_modified_with_no_store_ends_storage() {
        let (head, start) = stored(&[("etag", "\"a\"")]);
        let said = fields(&[("cache-control", "no-store"), ("age", "7"), ("proxy-authenticate", "x")]);
        let later = start + Duration::from_secs(60);
        let freshened = freshen(&head, &said, &HeaderMap::new(), later, later, &Terms::default());
        let once = freshened.expect_err("not to be stored");
        assert_eq!((once.status, once.current_age(later).as_secs()), (StatusCode::OK, 7));
        assert!(!once.fields.contains_key("age") && !once.fields.contains_key("proxy-authenticate"));
    }
}
