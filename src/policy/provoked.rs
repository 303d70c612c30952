//! Error responses that a client may have provoked with unusual fields. If they were stored, one
//! client could make a target fail for all others (cache-poisoned denial of service).

use http::{HeaderMap, HeaderName, StatusCode, header};

/// Limits in bytes on a usual field value, and on all fields of a usual request.
const USUAL_VALUE: usize = 1 << 10;
const USUAL_FIELDS: usize = 4 << 10;
/// Limit on the field lines of a usual request.
const USUAL_COUNT: usize = 40;

/// Whether the fields of a request, and not only its target, may have caused a response with
/// `status`.
///
/// Some status codes always concern the request, the client or the connection; RFC 6585 forbids to
/// store some of them. Any other error may come from an origin that rejects unusual fields.
pub fn is_provoked(status: StatusCode, fields: &HeaderMap) -> bool {
    match status.as_u16() {
        406 | 408 | 411..=413 | 415..=417 | 421 | 425 | 426 | 428 | 429 | 431 | 505 | 511 => true,
        ..400 => false,
        _ => is_unusual(fields),
    }
}

/// Whether some origin may reject `fields`: more or longer fields than a browser sends, unusual
/// octets, a repeated singleton field, or content fields without content.
fn is_unusual(fields: &HeaderMap) -> bool {
    const SINGLETON_FIELDS: [HeaderName; 6] = [
        header::HOST,
        header::USER_AGENT,
        header::REFERER,
        header::ORIGIN,
        header::AUTHORIZATION,
        header::FROM,
    ];
    const CONTENT_FIELDS: [HeaderName; 3] =
        [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let unusual_line = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let plain = name.as_str().bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        !plain
            || value.len() > USUAL_VALUE
            || !value.as_bytes().iter().all(|octet| matches!(octet, b' '..=b'~'))
    };
    bytes > USUAL_FIELDS
        || fields.len() > USUAL_COUNT
        || fields.iter().any(unusual_line)
        || SINGLETON_FIELDS.iter().any(|name| fields.get_all(name).iter().nth(1).is_some())
        || CONTENT_FIELDS.iter().any(|name| fields.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn error_for_unusual_request_is_provoked() {
        let long = "x".repeat(USUAL_VALUE + 1);
        let some = "x".repeat(USUAL_VALUE);
        let usual = [("user-agent", "curl/8"), ("accept", "*/*"), ("cookie", &some), ("x-api-key", "k")];
        let many: Vec<_> = (0..=USUAL_COUNT).map(|_| ("accept", "a")).collect();
        let much = [("a", some.as_str()), ("b", &some), ("c", &some), ("d", &some)];
        for (status, lines, provoked) in [
            (200, &many[..], false),
            (301, &[("x", long.as_str())], false),
            (404, &usual, false),
            (400, &usual, false),
            (501, &usual, false),
            (431, &usual, true),
            (429, &[], true),
            (405, &[], false),
            (404, &many, true),
            (404, &much, true),
            (400, &[("x", long.as_str())], true),
            (403, &[("x", "a\tb")], true),
            (403, &[("x", "\u{e9}")], true),
            (400, &[("x_y", "1")], true),
            (400, &[("x~y", "1")], true),
            (500, &[("user-agent", "a"), ("user-agent", "b")], true),
            (400, &[("host", "a"), ("host", "a")], true),
            (400, &[("referer", "a"), ("referer", "b")], true),
            (400, &[("origin", "a"), ("origin", "b")], true),
            (400, &[("authorization", "a"), ("authorization", "b")], true),
            (400, &[("from", "a"), ("from", "b")], true),
            (400, &[("accept", "a"), ("accept", "b")], false),
            (400, &[("content-type", "a")], true),
            (400, &[("content-encoding", "a")], true),
            (400, &[("content-language", "a")], true),
        ] {
            let mut fields = HeaderMap::new();
            for (name, value) in lines {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("name");
                fields.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("value"));
            }
            let status = StatusCode::from_u16(status).expect("status");
            assert_eq!(is_provoked(status, &fields), provoked, "{status} {}", fields.len());
        }
    }

    #[test]
    fn status_about_request_is_provoked() {
        let said = [406, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428, 429, 431, 505, 511];
        for status in 100..600 {
            let provoked = is_provoked(StatusCode::from_u16(status).expect("status"), &HeaderMap::new());
            assert_eq!(provoked, said.contains(&status), "{status}");
        }
    }
}
