//! Cache groups: stored responses that are invalidated together (RFC 9875).

use http::{HeaderMap, HeaderName, Method, StatusCode};
use sfv::{BareItem, List, ListEntry, Parser};

use super::invalidation;
use super::targeted::joined;

/// Limit on the groups read from one field. RFC 9875 section 2 requires at least 32.
const MAX_GROUPS: usize = 64;
/// Longest group name in bytes; longer ones are ignored. RFC 9875 section 2 requires at least 32.
const MAX_GROUP_BYTES: usize = 256;

const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// The groups of a response (`Cache-Groups`).
pub fn of(response: &HeaderMap) -> Vec<String> {
    strings(response, &CACHE_GROUPS)
}

/// The groups that an exchange invalidates (`Cache-Group-Invalidation`). There are none for a safe
/// method or an error response.
pub fn invalidated(method: &Method, status: StatusCode, response: &HeaderMap) -> Vec<String> {
    if invalidation::seen_by(method, status) {
        strings(response, &CACHE_GROUP_INVALIDATION)
    } else {
        Vec::new()
    }
}

/// Parses a List of Strings. Members of other types are ignored; an invalid List has no members.
fn strings(fields: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let Some(text) = joined(fields, name) else {
        return Vec::new();
    };
    let list: List = Parser::new(&text).parse().unwrap_or_default();
    list.iter()
        .filter_map(|entry| match entry {
            ListEntry::Item(item) => match &item.bare_item {
                BareItem::String(group) => Some(group.as_str()),
                _ => None,
            },
            ListEntry::InnerList(_) => None,
        })
        .filter(|group| group.len() <= MAX_GROUP_BYTES)
        .take(MAX_GROUPS)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn fields(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(name, HeaderValue::from_static(line));
        }
        fields
    }

    /// RFC 9875 section 2.
    #[test]
    fn groups_are_parsed_as_list_of_strings() {
        for (lines, expected) in [
            (vec![r#""a", "b c";x=1"#], vec!["a", "b c"]),
            (vec![r#""a""#, r#""b""#], vec!["a", "b"]),
            (vec![r#"a, "b", 1, ("c")"#], vec!["b"]),
            (vec![r#""a", "#], vec![]),
            (vec!["junk\""], vec![]),
            (vec![], vec![]),
        ] {
            assert_eq!(of(&fields("cache-groups", &lines)), expected, "{lines:?}");
        }
    }

    /// RFC 9875 section 3.
    #[test]
    fn groups_after_safe_method_or_error_stay_valid() {
        let response = fields("cache-group-invalidation", &[r#""a""#]);
        for (method, status, expected) in
            [("POST", 200, 1), ("DELETE", 204, 1), ("GET", 200, 0), ("POST", 404, 0), ("POST", 500, 0)]
        {
            let method = Method::from_bytes(method.as_bytes()).expect("method");
            let status = StatusCode::from_u16(status).expect("status");
            assert_eq!(invalidated(&method, status, &response).len(), expected, "{method} {status}");
        }
    }
}
