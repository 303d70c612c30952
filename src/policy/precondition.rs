//! Conditional requests of clients, evaluated against stored responses (RFC 9110 section 13,
//! RFC 9111 section 4.3.2).

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::clock::Timestamp;
use crate::message::date;
use crate::message::entity_tag::{EntityTag, TagList};

/// The fields that make a GET conditional. They are evaluated here and not forwarded.
pub const CONDITIONS: [HeaderName; 5] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

/// The fields of a 304: those of RFC 9110 section 15.4.5, and those that describe what the cache
/// did. `Last-Modified` is added where there is no entity tag.
const SENT_WITH_304: [HeaderName; 11] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::VARY,
    header::AGE,
    header::VIA,
    HeaderName::from_static("cache-status"),
    HeaderName::from_static("x-cache"),
    HeaderName::from_static("x-cache-age"),
];

/// Whether the client already has the selected representation, so that a 304 answers it.
///
/// `response` are the fields of the selected representation. `received` replaces a missing
/// `Last-Modified` and `Date` (RFC 9111 section 4.3.2).
pub fn not_modified(
    method: &Method,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    received: Timestamp,
) -> bool {
    // Conditions apply only if the response would be a 200 without them (RFC 9110 section 13.2.1).
    if status != StatusCode::OK || !(method == Method::GET || method == Method::HEAD) {
        return false;
    }
    // If-None-Match takes precedence over If-Modified-Since (RFC 9110 section 13.1.3).
    if let Some(tags) = TagList::of(request, &header::IF_NONE_MATCH) {
        return tags.matches_weakly(EntityTag::of(response));
    }
    // A value with more than one member is ignored, even if they are equal (RFC 9110 section
    // 13.1.3).
    let single = request.get_all(header::IF_MODIFIED_SINCE).iter().count() == 1;
    let Some(since) = date::of_field(request, &header::IF_MODIFIED_SINCE).filter(|_| single) else {
        return false;
    };
    let modified = date::of_field(response, &header::LAST_MODIFIED)
        .or_else(|| date::of_field(response, &header::DATE))
        .unwrap_or(received);
    modified.as_secs() <= since.as_secs()
}

/// Removes the fields that a 304 does not have.
pub fn keep_304_fields(fields: &mut HeaderMap) {
    let tagged = fields.contains_key(header::ETAG);
    let surplus: Vec<HeaderName> = fields
        .keys()
        .filter(|name| !SENT_WITH_304.contains(name) && (tagged || **name != header::LAST_MODIFIED))
        .filter(|name| **name != "cdn-cache-control")
        .cloned()
        .collect();
    for name in surplus {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines as fields;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    /// RFC 9110 sections 13.1.2, 13.1.3, 13.2.2; RFC 9111 section 4.3.2.
    #[test]
    fn precondition_matching_validator_gives_304() {
        let tagged: &[(&str, &str)] = &[("etag", "\"a\""), ("last-modified", OLD)];
        let cases: &[(&[_], &[_], bool)] = &[
            (&[], tagged, false),
            (&[("if-none-match", "\"a\"")], tagged, true),
            (&[("if-none-match", "W/\"a\"")], tagged, true),
            (&[("if-none-match", "\"b\", W/\"a\"")], tagged, true),
            (&[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")], tagged, true),
            (&[("if-none-match", "*")], tagged, true),
            (&[("if-none-match", "\"b\"")], tagged, false),
            (&[("if-none-match", "a")], tagged, false),
            (&[("if-none-match", "")], tagged, false),
            (&[("if-none-match", "\"b\""), ("if-modified-since", NEW)], tagged, false),
            (&[("if-none-match", "\"a\""), ("if-modified-since", "0")], tagged, true),
            (&[("if-modified-since", OLD)], tagged, true),
            (&[("if-modified-since", NEW)], tagged, true),
            (&[("if-modified-since", "Sat, 05 Nov 1994 08:49:37 GMT")], tagged, false),
            (&[("if-modified-since", "nonsense")], tagged, false),
            (&[("if-modified-since", OLD), ("if-modified-since", OLD)], tagged, false),
            (&[("if-modified-since", OLD)], &[("date", NEW)], false),
            (&[("if-modified-since", NEW)], &[("date", NEW)], true),
            (&[("if-none-match", "*")], &[], true),
            (&[("if-none-match", "\"a\"")], &[], false),
        ];
        for (request, response, expected) in cases {
            let decision = not_modified(
                &Method::GET,
                &fields(request),
                StatusCode::OK,
                &fields(response),
                Timestamp::from_secs(4_000_000_000),
            );
            assert_eq!(decision, *expected, "{request:?} {response:?}");
        }
    }

    #[test]
    fn condition_on_other_method_or_status_is_ignored() {
        let request = fields(&[("if-none-match", "*")]);
        let decide = |method: Method, status| {
            not_modified(&method, &request, status, &HeaderMap::new(), Timestamp::default())
        };
        assert!(decide(Method::HEAD, StatusCode::OK));
        assert!(!decide(Method::GET, StatusCode::NOT_FOUND));
        assert!(!decide(Method::POST, StatusCode::OK));
    }

    /// RFC 9110 section 15.4.5.
    #[test]
    fn not_modified_response_has_required_fields_only() {
        let mut sent = fields(&[
            ("cache-control", "max-age=1"),
            ("content-location", "/a"),
            ("date", OLD),
            ("etag", "\"a\""),
            ("expires", NEW),
            ("vary", "accept"),
            ("last-modified", OLD),
            ("content-type", "image/png"),
            ("content-length", "5"),
            ("set-cookie", "a=b"),
        ]);
        keep_304_fields(&mut sent);
        let mut names: Vec<&str> = sent.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "content-location", "date", "etag", "expires", "vary"]);
        let mut untagged = fields(&[("last-modified", OLD)]);
        keep_304_fields(&mut untagged);
        assert!(untagged.contains_key("last-modified"));
    }
}
